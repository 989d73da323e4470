"""Small tools that know nothing of hubs.

Time (``clock``), tasks and waiting (``aio``), URL paths (``urls``), small requests
(``http``), random names (``ids``), and hashes, signatures and encryption (``crypto``).

Everything here is usable from any room and from the proxy and single-user
processes, so it imports the standard library, ``cryptography`` and ``httptools``
only and must stay quick to import. Start reading in ``aio``.
"""
