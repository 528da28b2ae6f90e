CREATE TABLE ost_user (
  id int PRIMARY KEY, org_id int, default_email_id int, status int, name varchar(128), created datetime,
  updated datetime);
CREATE TABLE ost_user_email (id int PRIMARY KEY, user_id int NOT NULL, flags int, address varchar(255) UNIQUE);
CREATE INDEX email_by_user ON ost_user_email (user_id);
CREATE TABLE ost_organization (id int PRIMARY KEY, name varchar(128), domain varchar(256), created datetime, updated datetime);
CREATE TABLE ost_staff (staff_id int PRIMARY KEY, firstname varchar(32), lastname varchar(32));
CREATE TABLE ost_department (id int PRIMARY KEY, name varchar(128));
CREATE TABLE ost_ticket_status (id int PRIMARY KEY, name varchar(60), state varchar(16));
CREATE TABLE ost_ticket (
  ticket_id int PRIMARY KEY, number varchar(20), user_id int NOT NULL, status_id int NOT NULL, dept_id int, staff_id int,
  source varchar(8), duedate datetime, est_duedate datetime, closed datetime, created datetime, updated datetime);
CREATE INDEX ticket_by_user ON ost_ticket (user_id);
CREATE TABLE ost_thread (id int PRIMARY KEY, object_id int NOT NULL, object_type char(1) NOT NULL);
CREATE INDEX thread_by_object ON ost_thread (object_id);
CREATE TABLE ost_thread_entry (
  id int PRIMARY KEY, thread_id int NOT NULL, user_id int, staff_id int, type char(1), poster varchar(128), body text,
  source varchar(32), created datetime);
CREATE INDEX entry_by_thread ON ost_thread_entry (thread_id);
CREATE TABLE ost_form_field (id int PRIMARY KEY, form_id int, type varchar(64), label varchar(255), name varchar(64));
CREATE TABLE ost_form_entry (id int PRIMARY KEY, form_id int, object_id int, object_type char(1));
CREATE INDEX form_by_object ON ost_form_entry (object_id);
CREATE TABLE ost_form_entry_values (entry_id int, field_id int, value text, PRIMARY KEY (entry_id, field_id));
INSERT INTO ost_user VALUES
  (1, 5, 12, 0, 'Ada Kühn', '2025-01-01 10:00:00', '2026-01-01 10:00:00'),
  (2, 0, 13, 0, 'Cem', '2025-01-01 10:00:00', '2026-01-01 10:00:00');
INSERT INTO ost_user_email VALUES
  (11, 1, 0, 'a.kuehn@work.example'), (12, 1, 0, 'ada@mail.example'), (13, 2, 0, 'cem@mail.example');
INSERT INTO ost_organization VALUES (5, 'Rösterei Nord', 'nord.example', '2025-01-01 10:00:00', '2025-01-01 10:00:00');
INSERT INTO ost_staff VALUES (3, 'Ida', 'Brandt');
INSERT INTO ost_department VALUES (4, 'Support');
INSERT INTO ost_ticket_status VALUES
  (1, 'Open', 'open'), (2, 'Resolved', 'closed'), (3, 'Closed', 'closed'), (5, 'Deleted', 'deleted');
INSERT INTO ost_ticket VALUES
  (100, '900100', 1, 1, 4, 3, 'Phone', NULL, '2026-01-12 10:00:00', NULL, '2026-01-10 10:00:00', '2026-01-11 10:00:00'),
  (101, '900101', 1, 2, 4, 0, 'Email', '2026-01-06 10:00:00', NULL, '2026-01-05 12:00:00', '2026-01-05 10:00:00',
   '2026-01-05 12:00:00'),
  (102, '900102', 1, 5, 4, 3, 'Other', NULL, NULL, NULL, '2026-01-02 10:00:00', '2026-01-02 10:00:00'),
  (103, '900103', 2, 3, 0, 0, 'Other', NULL, NULL, '2026-01-03 10:00:00', '2026-01-02 10:00:00', '2026-01-03 10:00:00');
INSERT INTO ost_thread VALUES (200, 100, 'T'), (201, 101, 'T'), (202, 102, 'T'), (203, 100, 'A');
INSERT INTO ost_thread_entry VALUES
  (300, 200, 1, 0, 'M', 'Ada Kühn', 'My mug broke', 'Phone', '2026-01-10 10:00:00'),
  (301, 200, 0, 3, 'N', 'Ida Brandt', 'Send a new one', '', '2026-01-10 10:05:00'),
  (302, 200, 0, 3, 'R', 'Ida Brandt', 'A new one is coming', '', '2026-01-10 10:10:00'),
  (303, 200, 0, 3, 'R', 'Ida Brandt', 'Did it come?', '', '2026-01-11 10:00:00'),
  (304, 202, 1, 0, 'M', 'Ada Kühn', 'Deleted', 'Web', '2026-01-02 10:00:00'),
  (305, 203, 1, 0, 'M', 'Ada Kühn', 'Of a task', 'Web', '2026-01-02 10:00:00');
INSERT INTO ost_form_field VALUES
  (1, 1, 'phone', 'Phone Number', 'phone'), (2, 1, 'memo', 'Internal Notes', 'notes'), (3, 2, 'text', 'Issue', 'subject'),
  (4, 2, 'priority', 'Priority', 'priority');
INSERT INTO ost_form_entry VALUES (1, 1, 1, 'U'), (2, 2, 100, 'T'), (3, 2, 1, 'T');
INSERT INTO ost_form_entry_values VALUES
  (1, 1, '0171 5550101'), (1, 2, 'Calls often'), (2, 3, 'Broken mug'), (2, 4, 'High'), (3, 1, '0000'), (3, 3, 'Other');
