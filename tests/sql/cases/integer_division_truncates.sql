SELECT grade / 2 AS half, grade % 2 AS rest, -7 / 2 AS less, grade / 2.0 AS exact FROM parcel
