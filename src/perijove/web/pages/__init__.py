"""The pages that people see: plain HTML, each a client of the same functions as the API.

``page`` has what every page needs (who looks at it, rendering, redirects);
``environment`` finds the templates, the operator's first; the other modules hold
the handlers by subject. Scripts on the pages use the REST API.
Start reading in ``page``, then ``home``.
"""
