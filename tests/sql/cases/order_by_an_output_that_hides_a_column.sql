-- ordered
SELECT -ident AS grade FROM depot ORDER BY grade
