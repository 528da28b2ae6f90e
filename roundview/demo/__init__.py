"""Makes four systems full of invented customers and the catalog that maps them."""
