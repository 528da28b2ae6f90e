SELECT ident FROM depot WHERE (grade = 1 AND code IS NULL) OR grade = 2
