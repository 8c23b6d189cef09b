"""The server over HTTP.

application (short way of inference) · routes (everything else, FastAPI) · bodies (limits) · access (keys) · connections
(uvicorn) · documentation (pages without other hosts)
"""
