-- shop.individual
SELECT
  s.id AS k1,
  s.id AS p1,
  s.attribs ->> 'city' AS given_name,
  s.attribs -> 'tags' ->> 1 AS family_name,
  (
    s.attribs ->> 'on'
  ) = 'true' AS deceased
FROM subscribers AS s;

-- shop.survey_response
SELECT
  s.id AS k1,
  s.id AS p1,
  TRY_CAST(s.attribs ->> 'score' AS DECIMAL) AS score
FROM subscribers AS s;
