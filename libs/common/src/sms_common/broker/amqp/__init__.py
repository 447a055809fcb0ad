"""The AMQP engine behind the broker: nothing outside this folder imports an AMQP library.

aio-pika only opens connections (its address and TLS options). Channels, and all that is said on them, are aiormq's, the
library below it; frames are pamqp's.
"""
