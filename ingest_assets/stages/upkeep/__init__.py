"""Keep a store sound: validate, repair, optimize, copy to another store, change the model."""
