#pragma once

#include "sys/fd.hh"

#include <cstdint>
#include <string>

namespace ap {

/// A stream socket that listens at a numeric IPv4 or IPv6 address ("127.0.0.1", "::1")
/// and port (0: one the kernel picks). Throws Error(Config) if `address` is none,
/// SystemError if it is taken.
Fd listen_tcp(const std::string &address, uint16_t port);

/// A stream socket that listens at `path` with permissions `mode`. A socket left behind
/// there by a dead process is replaced; one that somebody listens on is
/// Error(Unavailable), a file of another kind Error(CannotCreate).
Fd listen_unix(const std::string &path, mode_t mode = 0600);

/// A connection to the socket at `path`; throws SystemError.
Fd connect_unix(const std::string &path);

/// A connection to a numeric address; throws SystemError.
Fd connect_tcp(const std::string &address, uint16_t port);

/// The port a TCP socket is bound to; 0 for a socket of another family.
uint16_t local_port(int socket);

/// The numeric address a socket is bound to; "unix" for a Unix socket.
std::string local_address(int socket);

/// The numeric address at the other end of a connection; "unix" for a Unix socket.
std::string peer_address(int socket);

/// Whether `address` is of the loopback network: 127.0.0.0/8 or ::1.
bool is_loopback(const std::string &address);

} // namespace ap
