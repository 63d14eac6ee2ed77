#include "sys/socket.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ap {

namespace {

// Any kind of socket address with its length, as the system calls want it.
struct Address
{
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr *get() const noexcept
    {
        return reinterpret_cast<const sockaddr *>(&storage);
    }
    sockaddr *get() noexcept { return reinterpret_cast<sockaddr *>(&storage); }
};

template <typename Family>
Address packed(const Family &family, size_t length = sizeof(Family))
{
    static_assert(sizeof(Family) <= sizeof(sockaddr_storage));
    Address address;
    std::memcpy(&address.storage, &family, sizeof family);
    address.length = static_cast<socklen_t>(length);
    return address;
}

template <typename Family>
Family unpacked(const Address &address)
{
    Family family{};
    std::memcpy(&family, &address.storage, sizeof family);
    return family;
}

// The numeric form of an address; "unix" for a Unix socket's.
std::string text_of(const Address &address)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.storage.ss_family == AF_INET) {
        const auto four = unpacked<sockaddr_in>(address);
        inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    } else if (address.storage.ss_family == AF_INET6) {
        const auto six = unpacked<sockaddr_in6>(address);
        inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    } else {
        return "unix";
    }
    return text.data();
}

std::optional<Address> numeric_address(const std::string &text, uint16_t port)
{
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
        return packed(four);
    }
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
        return packed(six);
    }
    return std::nullopt;
}

Address tcp_address(const std::string &text, uint16_t port)
{
    if (const auto address = numeric_address(text, port)) {
        return *address;
    }
    throw Error(ExitStatus::Config,
                "'" + printable(text) + "': expected a numeric IPv4 or IPv6 address");
}

Address unix_address(const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw Error(ExitStatus::Config,
                    "socket '" + printable(path) + "': expected a path of 1 to " +
                        std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(static_cast<char *>(address.sun_path), path.data(), path.size());
    return packed(address);
}

Fd stream_socket(int family)
{
    Fd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        throw_errno("cannot make a socket");
    }
    return fd;
}

Fd connected(const Address &address, const std::string &where)
{
    Fd fd = stream_socket(address.storage.ss_family);
    if (connect(fd.get(), address.get(), address.length) != 0) {
        throw_errno("cannot connect to " + where);
    }
    return fd;
}

Fd listening(const Address &address, const std::string &where)
{
    Fd fd = stream_socket(address.storage.ss_family);
    const int on = 1;
    if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd.get(), address.get(), address.length) != 0 ||
        listen(fd.get(), SOMAXCONN) != 0) {
        throw_errno("cannot listen on " + where);
    }
    set_nonblocking(fd.get());
    return fd;
}

// Makes way for a new socket at `path`, where a dead process may have left one.
void remove_stale(const std::string &path, const Address &address)
{
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) {
        return;
    }
    if (!S_ISSOCK(status.st_mode)) {
        throw Error(ExitStatus::CannotCreate,
                    "'" + printable(path) + "' is there and is no socket");
    }
    const Fd probe = stream_socket(AF_UNIX);
    if (connect(probe.get(), address.get(), address.length) == 0) {
        throw Error(ExitStatus::Unavailable,
                    "somebody listens on '" + printable(path) + "' already");
    }
    if (errno != ECONNREFUSED || unlink(path.c_str()) != 0) {
        throw_errno("cannot replace socket '" + printable(path) + "'");
    }
}

std::string shown(const std::string &address, uint16_t port)
{
    return (address.find(':') == std::string::npos ? address : "[" + address + "]") +
           ":" + std::to_string(port);
}

} // namespace

Fd listen_tcp(const std::string &address, uint16_t port)
{
    return listening(tcp_address(address, port), shown(address, port));
}

Fd listen_unix(const std::string &path, mode_t mode)
{
    const Address address = unix_address(path);
    remove_stale(path, address);
    const mode_t before = umask(0777 & ~mode);
    try {
        Fd fd = listening(address, "'" + printable(path) + "'");
        umask(before);
        return fd;
    } catch (...) {
        umask(before);
        throw;
    }
}

Fd connect_unix(const std::string &path)
{
    return connected(unix_address(path), "'" + printable(path) + "'");
}

Fd connect_tcp(const std::string &address, uint16_t port)
{
    return connected(tcp_address(address, port), shown(address, port));
}

uint16_t local_port(int socket)
{
    Address address;
    address.length = sizeof address.storage;
    if (getsockname(socket, address.get(), &address.length) != 0) {
        throw_errno("cannot ask for a socket's address");
    }
    switch (address.storage.ss_family) {
    case AF_INET:
        return ntohs(unpacked<sockaddr_in>(address).sin_port);
    case AF_INET6:
        return ntohs(unpacked<sockaddr_in6>(address).sin6_port);
    default:
        return 0;
    }
}

std::string local_address(int socket)
{
    Address address;
    address.length = sizeof address.storage;
    if (getsockname(socket, address.get(), &address.length) != 0) {
        throw_errno("cannot ask for a socket's address");
    }
    return text_of(address);
}

std::string peer_address(int socket)
{
    Address address;
    address.length = sizeof address.storage;
    if (getpeername(socket, address.get(), &address.length) != 0) {
        throw_errno("cannot ask for a connection's address");
    }
    return text_of(address);
}

bool is_loopback(const std::string &address)
{
    return address == "::1" ||
           (address.starts_with("127.") && numeric_address(address, 0).has_value());
}

} // namespace ap
