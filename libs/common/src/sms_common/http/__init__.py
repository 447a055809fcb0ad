"""What the HTTP servers of all services share: connections, fixed error answers, proxies, content codings."""
