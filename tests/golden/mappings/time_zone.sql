-- shop.support_case
SELECT
  v.id AS k1,
  v.made AS opened_at,
  v.utc AS first_response_at,
  v.tokyo AS resolved_at,
  v.day AS sla_due_at,
  v.made AT TIME ZONE v.zone AS source_created_at,
  v.tokyo AS source_updated_at
FROM visits AS v;
