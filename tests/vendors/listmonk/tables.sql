CREATE TABLE subscribers (
  id integer PRIMARY KEY, email varchar(320) NOT NULL UNIQUE, name varchar(200), attribs json, status varchar(20),
  created_at timestamp with time zone, updated_at timestamp with time zone);
CREATE TABLE lists (id integer PRIMARY KEY, name varchar(200), type varchar(20), optin varchar(20));
CREATE TABLE subscriber_lists (
  subscriber_id integer, list_id integer, status varchar(20), created_at timestamp with time zone,
  updated_at timestamp with time zone, PRIMARY KEY (subscriber_id, list_id));
CREATE TABLE campaigns (id integer PRIMARY KEY, name varchar(200), subject varchar(200));
CREATE TABLE campaign_views (
  id integer PRIMARY KEY, campaign_id integer, subscriber_id integer, created_at timestamp with time zone);
CREATE TABLE links (id integer PRIMARY KEY, url varchar(500));
CREATE TABLE link_clicks (
  id integer PRIMARY KEY, campaign_id integer, link_id integer, subscriber_id integer,
  created_at timestamp with time zone);
CREATE TABLE bounces (
  id integer PRIMARY KEY, subscriber_id integer, campaign_id integer, type varchar(20),
  created_at timestamp with time zone);
INSERT INTO subscribers VALUES
  (1, 'ada@mail.example', 'Ada Kühn', '{"phone": "0171 5550101", "lang": "de"}', 'enabled', '2025-01-01 10:00:00+00:00',
   '2026-01-01 10:00:00+00:00'),
  (2, 'cem@mail.example', '', '{}', 'blocklisted', '2025-01-01 10:00:00+00:00', '2026-01-01 10:00:00+00:00');
INSERT INTO lists VALUES (1, 'News', 'public', 'single'), (2, 'Offers', 'public', 'double');
INSERT INTO subscriber_lists VALUES
  (1, 1, 'unconfirmed', '2025-01-01 10:00:00+00:00', '2025-01-02 10:00:00+00:00'),
  (1, 2, 'unconfirmed', '2025-01-01 10:00:00+00:00', '2025-01-02 10:00:00+00:00'),
  (2, 1, 'unsubscribed', '2025-01-01 10:00:00+00:00', '2025-02-02 10:00:00+00:00');
CREATE INDEX idx_views_subscriber_id ON campaign_views (subscriber_id);
CREATE INDEX idx_clicks_sub_id ON link_clicks (subscriber_id);
CREATE INDEX idx_bounces_sub_id ON bounces (subscriber_id);
INSERT INTO campaigns VALUES (1, 'Spring', 'Hello');
INSERT INTO campaign_views VALUES
  (1, 1, 1, '2026-03-01 08:00:00+00:00'), (2, 1, NULL, '2026-03-01 08:00:00+00:00');
INSERT INTO links VALUES (1, 'https://shop.example/mug');
INSERT INTO link_clicks VALUES
  (1, 1, 1, 1, '2026-03-01 08:01:00+02:00'), (2, 1, 1, NULL, '2026-03-01 08:02:00+00:00');
INSERT INTO bounces VALUES
  (1, 2, 1, 'soft', '2026-03-01 08:03:00+00:00'), (2, 2, 1, 'hard', '2026-03-02 08:03:00+00:00');
