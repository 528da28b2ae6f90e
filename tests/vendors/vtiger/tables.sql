CREATE TABLE vtiger_crmentity (
  crmid int PRIMARY KEY, setype varchar(30), createdtime datetime, modifiedtime datetime, deleted int NOT NULL DEFAULT 0);
CREATE TABLE vtiger_account (accountid int PRIMARY KEY, accountname varchar(100), website varchar(100), industry varchar(200));
CREATE TABLE vtiger_contactdetails (
  contactid int PRIMARY KEY, contact_no varchar(100), accountid int, firstname varchar(40), lastname varchar(80),
  email varchar(100), phone varchar(50), mobile varchar(50), otheremail varchar(100), secondaryemail varchar(100),
  donotcall varchar(3), emailoptout varchar(3));
CREATE TABLE vtiger_contactsubdetails (
  contactsubscriptionid int PRIMARY KEY, birthday date, homephone varchar(50), leadsource varchar(200));
CREATE TABLE vtiger_contactaddress (
  contactaddressid int PRIMARY KEY, mailingstreet varchar(250), mailingcity varchar(150), mailingstate varchar(150),
  mailingzip varchar(150), mailingcountry varchar(150), otherstreet varchar(250), othercity varchar(150),
  otherstate varchar(150), otherzip varchar(150), othercountry varchar(150));
CREATE TABLE vtiger_troubletickets (
  ticketid int PRIMARY KEY, ticket_no varchar(100), parent_id int, priority varchar(200), status varchar(200),
  category varchar(200), title varchar(255));
CREATE INDEX ticket_by_parent ON vtiger_troubletickets (parent_id);
CREATE TABLE vtiger_salesorder (
  salesorderid int PRIMARY KEY, salesorder_no varchar(100) UNIQUE, subject varchar(100), contactid int,
  subtotal decimal(25,3), total decimal(25,3), sostatus varchar(200));
CREATE INDEX order_by_contact ON vtiger_salesorder (contactid);
CREATE TABLE vtiger_products (
  productid int PRIMARY KEY, productname varchar(100), productcode varchar(40), productcategory varchar(200),
  unit_price decimal(25,2));
CREATE TABLE vtiger_inventoryproductrel (
  lineitem_id int PRIMARY KEY, id int, productid int, sequence_no int, quantity decimal(25,3), listprice decimal(25,3),
  discount_percent decimal(7,3), discount_amount decimal(25,3));
CREATE INDEX line_by_order ON vtiger_inventoryproductrel (id);
CREATE TABLE vtiger_activity (
  activityid int PRIMARY KEY, subject varchar(100), activitytype varchar(200), date_start date, time_start varchar(50),
  eventstatus varchar(200));
CREATE TABLE vtiger_cntactivityrel (contactid int, activityid int, PRIMARY KEY (contactid, activityid));
INSERT INTO vtiger_crmentity VALUES
  (1, 'Accounts', '2024-01-01 08:00:00', '2024-01-02 08:00:00', 0),
  (2, 'Contacts', '2025-03-01 10:00:00', '2026-01-05 09:30:00', 0),
  (3, 'Contacts', '2025-03-01 10:00:00', '2026-01-05 09:30:00', 1),
  (4, 'Contacts', '2025-03-01 10:00:00', '2026-01-05 09:30:00', 0),
  (10, 'HelpDesk', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 0),
  (11, 'HelpDesk', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 1),
  (12, 'HelpDesk', '2026-01-10 10:00:00', '2026-01-11 10:00:00', 0),
  (20, 'SalesOrder', '2026-01-15 10:00:00', '2026-01-16 10:00:00', 0),
  (21, 'SalesOrder', '2026-01-15 10:00:00', '2026-01-16 10:00:00', 0),
  (30, 'Products', '2024-01-01 08:00:00', '2024-01-02 08:00:00', 0),
  (40, 'Calendar', '2026-01-20 10:00:00', '2026-01-21 10:00:00', 0),
  (41, 'Calendar', '2026-01-20 10:00:00', '2026-01-21 10:00:00', 0);
INSERT INTO vtiger_account VALUES (1, 'Rösterei Nord', 'https://nord.example', 'Food');
INSERT INTO vtiger_contactdetails VALUES
  (2, 'CON2', 1, 'Ada', 'Kühn', 'ada@mail.example', '030 1234567', '0171 5550101', '', 'a.kuehn@work.example', '1', '0'),
  (3, 'CON3', 0, 'Ben', 'Otto', 'ben@mail.example', NULL, NULL, NULL, NULL, '0', '0'),
  (4, 'CON4', 0, 'Cem', 'Aydin', 'cem@mail.example', NULL, NULL, NULL, NULL, '0', 'on');
INSERT INTO vtiger_contactsubdetails VALUES (2, '1984-02-29', '030 7654321', 'Web'), (3, NULL, NULL, NULL), (4, NULL, NULL, NULL);
INSERT INTO vtiger_contactaddress VALUES
  (2, 'Hafenweg 3', 'Berlin', NULL, '10115', 'Germany', NULL, NULL, NULL, NULL, NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, NULL, NULL, NULL, NULL, NULL, 'Altweg 1', 'Bonn', NULL, '53111', 'DE');
INSERT INTO vtiger_troubletickets VALUES
  (10, 'TT10', 2, 'High', 'Wait For Response', 'Big Problem', 'Broken mug'),
  (11, 'TT11', 2, 'High', 'Open', 'Big Problem', 'Deleted'), (12, 'TT12', 1, 'Low', 'Open', NULL, 'Of the company');
INSERT INTO vtiger_salesorder VALUES
  (20, 'SO20', 'Mugs', 2, 24.000, 28.560, 'Delivered'), (21, 'SO21', 'Nobody', 0, 1.000, 1.000, 'Created');
INSERT INTO vtiger_products VALUES (30, 'Mug', 'MUG', 'Ware', 7.50);
INSERT INTO vtiger_inventoryproductrel VALUES
  (1, 20, 30, 1, 2.000, 7.500, 10.000, NULL), (2, 20, 30, 2, 2.000, 7.500, NULL, 4.500), (3, 21, 30, 1, 1.000, 1.000, NULL, NULL);
INSERT INTO vtiger_activity VALUES
  (40, 'About the mug', 'Call', '2026-01-20', '09:50', 'Held'), (41, 'Planned', 'Call', '2026-02-20', '09:50', 'Planned');
INSERT INTO vtiger_cntactivityrel VALUES (2, 40), (2, 41), (3, 40);
