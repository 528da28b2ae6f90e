CREATE TABLE ospos_people (
  person_id int PRIMARY KEY, first_name varchar(255), last_name varchar(255), gender int(1), phone_number varchar(255),
  email varchar(255), address_1 varchar(255), address_2 varchar(255), city varchar(255), state varchar(255),
  zip varchar(255), country varchar(255), comments text);
CREATE TABLE ospos_customers (
  person_id int PRIMARY KEY, account_number varchar(255) UNIQUE, package_id int, points int, consent int(1),
  date datetime, deleted int(1) NOT NULL DEFAULT 0);
CREATE TABLE ospos_customers_packages (package_id int PRIMARY KEY, package_name varchar(255));
CREATE TABLE ospos_stock_locations (location_id int PRIMARY KEY, location_name varchar(255));
CREATE TABLE ospos_items (
  item_id int PRIMARY KEY, name varchar(255), category varchar(255), item_number varchar(255), unit_price decimal(15,2),
  deleted int(1) NOT NULL DEFAULT 0);
CREATE TABLE ospos_sales (
  sale_id int PRIMARY KEY, sale_time datetime, customer_id int, invoice_number varchar(32) UNIQUE, sale_status int,
  sale_type int);
CREATE INDEX sales_by_customer ON ospos_sales (customer_id);
CREATE TABLE ospos_sales_items (
  sale_id int, item_id int, line int(3), quantity_purchased decimal(15,3), item_unit_price decimal(15,2),
  discount decimal(15,2), discount_type int, item_location int, PRIMARY KEY (sale_id, item_id, line));
CREATE TABLE ospos_sales_items_taxes (
  sale_id int, item_id int, line int(3), name varchar(255), tax_type int, item_tax_amount decimal(15,4),
  PRIMARY KEY (sale_id, item_id, line, name));
CREATE TABLE ospos_sales_payments (
  payment_id int PRIMARY KEY, sale_id int, payment_type varchar(40), payment_amount decimal(15,2),
  cash_refund decimal(15,2), payment_time datetime);
CREATE INDEX payments_by_sale ON ospos_sales_payments (sale_id);
INSERT INTO ospos_people VALUES
  (1, 'Ada', 'Kühn', 0, '0171 5550101', 'ada@mail.example', 'Hafenweg 3', '', 'Berlin', '', '10115', 'Germany', ''),
  (2, 'Till', 'Kasse', 1, '', 'till@mail.example', '', '', '', '', '', '', ''),
  (3, 'Cem', 'Aydin', 1, '', 'cem@mail.example', '', '', '', '', '', '', 'Pays cash'),
  (4, 'Eva', 'Weg', 0, '', 'eva@mail.example', '', '', '', '', '', '', '');
INSERT INTO ospos_customers VALUES
  (1, 'K-17', 2, 120, 1, '2025-05-01 09:00:00', 0), (3, NULL, NULL, 0, NULL, '2025-05-02 09:00:00', 0),
  (4, 'K-18', NULL, 0, 0, '2025-05-02 09:00:00', 1);
INSERT INTO ospos_customers_packages VALUES (1, 'Bronze'), (2, 'Silver');
INSERT INTO ospos_stock_locations VALUES (1, 'Berlin'), (2, 'Zurich');
INSERT INTO ospos_items VALUES (1, 'Mug', 'Ware', 'MUG', 7.50, 0), (2, 'Beans', 'Coffee', 'BEAN-1', 12.00, 0);
INSERT INTO ospos_sales VALUES
  (100, '2026-01-10 09:30:00', 1, 'I-100', 0, 0),
  (101, '2026-01-11 09:30:00', 1, 'I-101', 0, 4),
  (102, '2026-01-12 09:30:00', 1, 'I-102', 0, 3),
  (103, '2026-01-12 10:30:00', 1, 'I-103', 1, 0),
  (104, '2026-01-13 10:30:00', 1, 'I-104', 2, 1),
  (105, '2026-01-14 10:30:00', NULL, 'I-105', 0, 0);
INSERT INTO ospos_sales_items VALUES
  (100, 1, 1, 2, 7.50, 10.00, 0, 1), (100, 2, 2, 1.5, 12.00, 1.00, 1, 1), (101, 1, 1, -1, 7.50, 0, 0, 1),
  (102, 2, 1, 9, 12.00, 0, 0, 1), (103, 2, 1, 1, 12.00, 0, 0, 1), (104, 2, 1, 1, 12.00, 0, 0, 2),
  (105, 1, 1, 1, 7.50, 0, 0, 1);
INSERT INTO ospos_sales_items_taxes VALUES
  (100, 1, 1, 'VAT', 1, 2.5650), (100, 2, 2, 'VAT', 0, 1.1122), (100, 2, 2, 'Levy', 1, 0.1000),
  (101, 1, 1, 'VAT', 1, -1.4250);
INSERT INTO ospos_sales_payments VALUES
  (1, 100, 'Cash', 40.00, 6.83, '2026-01-10 09:31:00'), (2, 105, 'Cash', 7.50, 0, '2026-01-14 10:31:00');
