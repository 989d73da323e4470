"""The ports of the fake hub and of the servers in front of it, for one run of tests."""

from free_ports import free_ports

HUB_PORT, SERVER_PORT, OTHER_PORT, NOBODYS_PORT = free_ports(4)
