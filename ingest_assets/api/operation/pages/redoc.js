// Show the API with Redoc, without its search, whose worker our content security policy does not allow.
"use strict";

Redoc.init("openapi.json", { disableSearch: true }, document.getElementById("page"));
