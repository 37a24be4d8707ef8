"""A gateway's memory of its configuration: between Envoy and the operator, in Envoy's pod.

While there is an operator it passes bytes, both ways and unchanged, and remembers what Envoy has accepted
(`memory`). While there is none it answers an Envoy that starts from that (`standin`), and steps aside as soon
as the operator is back: the stream ends, Envoy comes again and speaks to the operator itself. So the operator
never hears an acknowledgement of anything that it has not sent.
"""
