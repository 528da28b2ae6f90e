CREATE TABLE users (id integer PRIMARY KEY, first_name varchar(32), last_name varchar(32));
CREATE TABLE accounts (
  id integer PRIMARY KEY, name varchar(64), website varchar(64), category varchar(32), deleted_at datetime,
  created_at datetime, updated_at datetime);
CREATE TABLE contacts (
  id integer PRIMARY KEY, first_name varchar(64), last_name varchar(64), email varchar(254), alt_email varchar(254),
  phone varchar(32), mobile varchar(32), linkedin varchar(128), born_on date, do_not_call boolean,
  background_info text, deleted_at datetime, created_at datetime, updated_at datetime);
CREATE TABLE account_contacts (
  id integer PRIMARY KEY, account_id integer, contact_id integer, deleted_at datetime, created_at datetime);
CREATE TABLE addresses (
  id integer PRIMARY KEY, street1 varchar(255), street2 varchar(255), city varchar(64), state varchar(64),
  zipcode varchar(16), country varchar(64), address_type varchar(16), addressable_type varchar(255),
  addressable_id integer, deleted_at datetime, created_at datetime);
CREATE INDEX index_addresses_on_addressable_id_and_addressable_type ON addresses (addressable_id, addressable_type);
CREATE TABLE leads (
  id integer PRIMARY KEY, first_name varchar(64), last_name varchar(64), status varchar(32), source varchar(32),
  email varchar(254), phone varchar(32), rating integer, deleted_at datetime, created_at datetime,
  updated_at datetime);
CREATE TABLE opportunities (
  id integer PRIMARY KEY, name varchar(64), source varchar(32), stage varchar(32), deleted_at datetime,
  created_at datetime);
CREATE TABLE contact_opportunities (
  id integer PRIMARY KEY, contact_id integer, opportunity_id integer, deleted_at datetime);
CREATE TABLE tasks (
  id integer PRIMARY KEY, name varchar(255), asset_type varchar(32), asset_id integer, category varchar(32),
  completed_at datetime, deleted_at datetime, created_at datetime);
CREATE TABLE comments (
  id integer PRIMARY KEY, user_id integer, commentable_type varchar(255), commentable_id integer, comment text,
  created_at datetime);
INSERT INTO users VALUES (1, 'Ida', 'Brandt');
INSERT INTO accounts VALUES
  (7, 'Rösterei Nord', 'https://nord.example', 'customer', NULL, '2024-01-01 08:00:00', '2024-01-02 08:00:00'),
  (8, 'Gone Ltd', NULL, NULL, '2025-01-01 00:00:00', '2024-01-01 08:00:00', '2024-01-02 08:00:00');
INSERT INTO contacts VALUES
  (1, 'Ada', 'Kühn', 'ada@mail.example', 'a.kuehn@work.example', '030 1234567', '0171 5550101', 'ada-kuehn',
   '1984-02-29', true, 'Prefers mornings', NULL, '2025-03-01 10:00:00', '2026-01-05 09:30:00'),
  (2, 'Ben', 'Otto', 'ben@mail.example', '', NULL, NULL, NULL, NULL, false, NULL, '2026-02-01 00:00:00',
   '2025-03-01 10:00:00', '2026-01-05 09:30:00'),
  (3, 'Cem', 'Aydin', 'cem@mail.example', NULL, NULL, '0171 5550103', NULL, NULL, false, NULL, NULL,
   '2025-03-01 10:00:00', '2026-01-05 09:30:00');
INSERT INTO account_contacts VALUES
  (11, 7, 1, NULL, '2025-04-01 12:00:00'), (12, 8, 1, NULL, '2025-04-01 12:00:00'),
  (13, 7, 3, '2025-12-31 00:00:00', '2025-04-01 12:00:00');
INSERT INTO addresses VALUES
  (21, 'Hafenweg 3', NULL, 'Berlin', 'BE', '10115', 'Deutschland', 'Billing', 'Contact', 1, NULL,
   '2025-03-01 10:00:00'),
  (22, 'Werk 9', NULL, 'Hamburg', NULL, '20095', 'DE', 'Shipping', 'Account', 1, NULL, '2025-03-01 10:00:00'),
  (23, 'Altweg 1', NULL, 'Bonn', NULL, '53111', 'DE', 'Shipping', 'Contact', 1, '2025-06-01 00:00:00',
   '2025-03-01 10:00:00');
INSERT INTO leads VALUES
  (1, 'Dora', 'Engel', 'contacted', 'web', 'dora@mail.example', '030 7654321', 4, NULL, '2026-01-01 10:00:00',
   '2026-01-02 10:00:00'),
  (2, 'Ada', 'Kühn', 'converted', 'web', 'gone@mail.example', NULL, 5, NULL, '2025-01-01 10:00:00',
   '2025-01-02 10:00:00');
INSERT INTO opportunities VALUES
  (31, 'Machines', 'referral', 'proposal', NULL, '2026-01-10 10:00:00'),
  (32, 'Beans', 'web', 'won', '2026-01-20 00:00:00', '2026-01-10 10:00:00');
INSERT INTO contact_opportunities VALUES (41, 1, 31, NULL), (42, 1, 32, NULL), (43, 3, 31, '2026-01-15 00:00:00');
INSERT INTO tasks VALUES
  (51, 'Ask about the grinder', 'Contact', 1, 'call', '2026-01-12 15:00:00', NULL, '2026-01-11 09:00:00'),
  (52, 'Call again', 'Contact', 1, 'call', NULL, NULL, '2026-01-11 09:00:00'),
  (53, 'Call the company', 'Account', 1, 'call', '2026-01-12 15:00:00', NULL, '2026-01-11 09:00:00');
INSERT INTO comments VALUES
  (61, 1, 'Contact', 1, 'Wants a visit', '2026-01-13 11:00:00'), (62, 1, 'Lead', 1, 'Cold', '2026-01-13 11:00:00');
