"""What one can ask of a hub: a method for each operation of the REST API.

Nothing here sends. A method describes its request and how to read the answer;
``client`` makes an awaiting and a blocking face of the same methods. An operation
of the API that has none here fails a test. Start reading in ``call``.
"""
