"""The server over gRPC.

messages (the protocol's messages, from its definition) · translation (messages to requests and back) · server
"""
