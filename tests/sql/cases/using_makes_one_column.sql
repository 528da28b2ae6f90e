SELECT code, d.code AS left_code, p.code AS right_code, count(*) AS n
FROM depot AS d FULL JOIN parcel AS p USING (code)
GROUP BY code, d.code, p.code
