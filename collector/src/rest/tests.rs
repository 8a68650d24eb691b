//! The help desks’ endpoint over a real TLS socket.
