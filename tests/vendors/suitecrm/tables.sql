CREATE TABLE contacts (
  id char(36) PRIMARY KEY, salutation varchar(255), first_name varchar(100), last_name varchar(100), birthdate date,
  do_not_call tinyint(1), phone_home varchar(100), phone_mobile varchar(100), phone_work varchar(100),
  phone_other varchar(100), primary_address_street varchar(150), primary_address_city varchar(100),
  primary_address_state varchar(100), primary_address_postalcode varchar(20), primary_address_country varchar(255),
  alt_address_street varchar(150), alt_address_city varchar(100), alt_address_state varchar(100),
  alt_address_postalcode varchar(20), alt_address_country varchar(255), description text, date_entered datetime,
  date_modified datetime, deleted tinyint(1) DEFAULT 0);
CREATE TABLE contacts_cstm (
  id_c char(36) PRIMARY KEY, jjwg_maps_lat_c decimal(10,8), jjwg_maps_lng_c decimal(11,8), vip_level_c varchar(100));
CREATE TABLE leads (
  id char(36) PRIMARY KEY, salutation varchar(255), first_name varchar(100), last_name varchar(100), birthdate date,
  phone_home varchar(100), phone_mobile varchar(100), phone_work varchar(100), status varchar(100),
  lead_source varchar(100), converted tinyint(1) DEFAULT 0, date_entered datetime, date_modified datetime,
  deleted tinyint(1) DEFAULT 0);
CREATE TABLE email_addresses (
  id char(36) PRIMARY KEY, email_address varchar(255), email_address_caps varchar(255), opt_out tinyint(1) DEFAULT 0,
  confirm_opt_in varchar(255) DEFAULT 'not-opt-in', confirm_opt_in_date datetime, date_modified datetime,
  deleted tinyint(1) DEFAULT 0);
CREATE INDEX email_caps ON email_addresses (email_address_caps);
CREATE TABLE email_addr_bean_rel (
  id char(36) PRIMARY KEY, email_address_id char(36), bean_id char(36), bean_module varchar(100),
  primary_address tinyint(1) DEFAULT 0, deleted tinyint(1) DEFAULT 0);
CREATE INDEX email_of_bean ON email_addr_bean_rel (bean_id, bean_module);
CREATE TABLE accounts (
  id char(36) PRIMARY KEY, name varchar(150), website varchar(255), industry varchar(50), date_entered datetime,
  date_modified datetime, deleted tinyint(1) DEFAULT 0);
CREATE TABLE accounts_contacts (
  id varchar(36) PRIMARY KEY, contact_id varchar(36), account_id varchar(36), deleted tinyint(1) DEFAULT 0);
CREATE INDEX account_of_contact ON accounts_contacts (contact_id);
CREATE TABLE opportunities (
  id char(36) PRIMARY KEY, name varchar(50), amount double, sales_stage varchar(255), lead_source varchar(50),
  date_entered datetime, date_modified datetime, deleted tinyint(1) DEFAULT 0);
CREATE TABLE opportunities_contacts (
  id varchar(36) PRIMARY KEY, contact_id varchar(36), opportunity_id varchar(36), deleted tinyint(1) DEFAULT 0);
CREATE INDEX opportunity_of_contact ON opportunities_contacts (contact_id);
CREATE TABLE cases (
  id char(36) PRIMARY KEY, case_number int, account_id char(36), name varchar(255), state varchar(100), status varchar(100),
  priority varchar(100), date_entered datetime, date_modified datetime, deleted tinyint(1) DEFAULT 0);
CREATE TABLE contacts_cases (
  id varchar(36) PRIMARY KEY, contact_id varchar(36), case_id varchar(36), contact_role varchar(50),
  deleted tinyint(1) DEFAULT 0);
CREATE INDEX case_of_contact ON contacts_cases (contact_id);
CREATE TABLE calls (
  id char(36) PRIMARY KEY, name varchar(50), status varchar(100), direction varchar(100), date_start datetime,
  date_entered datetime, deleted tinyint(1) DEFAULT 0);
CREATE TABLE calls_contacts (
  id varchar(36) PRIMARY KEY, call_id varchar(36), contact_id varchar(36), deleted tinyint(1) DEFAULT 0);
CREATE INDEX call_of_contact ON calls_contacts (contact_id);
INSERT INTO contacts VALUES
  ('c0000000-0000-0000-0000-000000000001', 'Dr.', 'Ada', 'Kühn', '1984-02-29', 1, '030 1234567', '0171 5550101', NULL,
   '', 'Hafenweg 3', 'Berlin', NULL, '10115', 'Germany', NULL, NULL, NULL, NULL, NULL, 'Prefers mornings',
   '2025-03-01 10:00:00', '2026-01-05 09:30:00', 0),
  ('c0000000-0000-0000-0000-000000000002', NULL, 'Ben', 'Otto', NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2025-03-01 10:00:00', '2026-01-05 09:30:00', 1),
  ('c0000000-0000-0000-0000-000000000003', NULL, 'Cem', 'Aydin', NULL, 0, NULL, NULL, '030 99', NULL, NULL, NULL, NULL,
   NULL, NULL, 'Altweg 1', 'Bonn', NULL, '53111', 'DE', NULL, '2025-03-01 10:00:00', '2026-01-05 09:30:00', 0);
INSERT INTO contacts_cstm VALUES ('c0000000-0000-0000-0000-000000000001', 52.52000000, 13.40500000, 'gold');
INSERT INTO leads VALUES
  ('10000000-0000-0000-0000-000000000001', NULL, 'Dora', 'Engel', NULL, NULL, '0171 5550104', NULL, 'New', 'Web', 0,
   '2026-01-01 10:00:00', '2026-01-02 10:00:00', 0),
  ('10000000-0000-0000-0000-000000000002', NULL, 'Ada', 'Kühn', NULL, NULL, NULL, NULL, 'Converted', 'Web', 1,
   '2025-01-01 10:00:00', '2025-01-02 10:00:00', 0);
INSERT INTO email_addresses VALUES
  ('e1', 'Ada@mail.example', 'ADA@MAIL.EXAMPLE', 0, 'confirmed-opt-in', '2025-04-01 10:00:00', '2025-04-01 10:00:00', 0),
  ('e2', 'a.kuehn@work.example', 'A.KUEHN@WORK.EXAMPLE', 1, 'not-opt-in', NULL, '2025-05-01 10:00:00', 0),
  ('e3', 'old@mail.example', 'OLD@MAIL.EXAMPLE', 0, 'not-opt-in', NULL, '2025-05-01 10:00:00', 0),
  ('e4', 'erased@mail.example', 'ERASED@MAIL.EXAMPLE', 0, 'not-opt-in', NULL, '2025-05-01 10:00:00', 1),
  ('e5', 'cem@mail.example', 'CEM@MAIL.EXAMPLE', 0, 'opt-in', NULL, '2025-05-01 10:00:00', 0),
  ('e6', 'dora@mail.example', 'DORA@MAIL.EXAMPLE', 0, 'not-opt-in', NULL, '2025-05-01 10:00:00', 0),
  ('e7', 'ben@mail.example', 'BEN@MAIL.EXAMPLE', 0, 'not-opt-in', NULL, '2025-05-01 10:00:00', 0),
  ('e8', 'office@nord.example', 'OFFICE@NORD.EXAMPLE', 0, 'not-opt-in', NULL, '2025-05-01 10:00:00', 0);
INSERT INTO email_addr_bean_rel VALUES
  ('r1', 'e1', 'c0000000-0000-0000-0000-000000000001', 'Contacts', 1, 0),
  ('r2', 'e2', 'c0000000-0000-0000-0000-000000000001', 'Contacts', 0, 0),
  ('r3', 'e3', 'c0000000-0000-0000-0000-000000000001', 'Contacts', 0, 1),
  ('r4', 'e4', 'c0000000-0000-0000-0000-000000000001', 'Contacts', 0, 0),
  ('r5', 'e5', 'c0000000-0000-0000-0000-000000000003', 'Contacts', 1, 0),
  ('r6', 'e6', '10000000-0000-0000-0000-000000000001', 'Leads', 1, 0),
  ('r7', 'e7', 'c0000000-0000-0000-0000-000000000002', 'Contacts', 1, 0),
  ('r8', 'e8', 'c0000000-0000-0000-0000-000000000001', 'Accounts', 1, 0);
INSERT INTO accounts VALUES
  ('a1', 'Rösterei Nord', 'https://nord.example', 'Food', '2024-01-01 08:00:00', '2024-01-02 08:00:00', 0),
  ('a2', 'Gone Ltd', NULL, NULL, '2024-01-01 08:00:00', '2024-01-02 08:00:00', 1);
INSERT INTO accounts_contacts VALUES
  ('x1', 'c0000000-0000-0000-0000-000000000001', 'a1', 0), ('x2', 'c0000000-0000-0000-0000-000000000001', 'a2', 0),
  ('x3', 'c0000000-0000-0000-0000-000000000003', 'a1', 1);
INSERT INTO opportunities VALUES
  ('o1', 'Machines', 1200.10, 'Proposal', 'Referral', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 0);
INSERT INTO opportunities_contacts VALUES
  ('y1', 'c0000000-0000-0000-0000-000000000001', 'o1', 0), ('y2', 'c0000000-0000-0000-0000-000000000003', 'o1', 1);
INSERT INTO cases VALUES
  ('k1', 71, 'a1', 'Broken mug', 'Open', 'Open_Pending Input', 'P1', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 0),
  ('k2', 72, '', 'Late', 'Closed', 'Closed_Closed', 'P3', '2026-01-08 10:00:00', '2026-01-09 10:00:00', 0),
  ('k3', 73, NULL, 'Erased', 'Open', 'Open_New', 'P1', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 1);
INSERT INTO contacts_cases VALUES
  ('z1', 'c0000000-0000-0000-0000-000000000001', 'k1', 'Primary Contact', 0),
  ('z2', 'c0000000-0000-0000-0000-000000000003', 'k1', 'Alternate Contact', 0),
  ('z3', 'c0000000-0000-0000-0000-000000000001', 'k2', 'Primary Contact', 0),
  ('z4', 'c0000000-0000-0000-0000-000000000001', 'k3', 'Primary Contact', 0),
  ('z5', 'c0000000-0000-0000-0000-000000000003', 'k2', 'Primary Contact', 1);
INSERT INTO calls VALUES
  ('p1', 'About the mug', 'Held', 'Inbound', '2026-01-10 09:50:00', '2026-01-10 09:50:00', 0),
  ('p2', 'Planned', 'Planned', 'Outbound', '2026-02-10 09:50:00', '2026-01-10 09:50:00', 0);
INSERT INTO calls_contacts VALUES
  ('w1', 'p1', 'c0000000-0000-0000-0000-000000000001', 0), ('w2', 'p2', 'c0000000-0000-0000-0000-000000000001', 0),
  ('w3', 'p1', 'c0000000-0000-0000-0000-000000000003', 1);
