"""THE LESSON: nobody waits for a client. A hub (`hub`) writes to those who read, queues a bounded amount for
those who do not (`outbox`), notices who is silent (`heartbeat`), and knows who is online (`attendance`)."""

from chat.engine.hub import Hub

__all__ = ["Hub"]
