// Show the API with Swagger UI. Requests of a person who has signed in carry the session's token, as those of our page do.
"use strict";

const session = fetch("session").then((answer) => (answer.ok ? answer.json() : {}));

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  validatorUrl: null,
  requestInterceptor: async (request) => {
    const { csrf_token: token } = await session;
    if (token) request.headers["X-CSRF-Token"] = token;
    return request;
  },
});
