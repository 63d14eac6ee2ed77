#pragma once

#include "base/exception_slot.hh"
#include "base/slots.hh"
#include "wrap/client_sockets.hh"
#include "wrap/http_transfer.hh"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ap {

struct HttpClientConfig
{
    size_t idle_connections = 256; ///< kept open for the next requests
    std::string ca_file{};         ///< PEM certificates to trust instead of the system's
    std::string proxy{};           ///< "http://host:port"; empty: none, whatever the
                                   ///< environment says
};

/// An HTTP/1.1 client (libcurl) for many transfers at once on the caller's thread: it
/// does something only in run(). Connections are kept and used again; certificates are
/// verified; redirects are answers like any other. No request is sent twice of which the
/// server may have got the first. What a listener throws comes out of
/// run() or resume().
class HttpClient
{
public:
    /// Watches its sockets in `loop`, which must outlive it; take_ready() is to be told
    /// what is ready there. Without one fd() is to be watched, which costs each transfer
    /// two calls of the system more.
    explicit HttpClient(HttpClientConfig config = {}, PollSet *loop = nullptr);
    ~HttpClient();
    HttpClient(const HttpClient &) = delete;
    HttpClient &operator=(const HttpClient &) = delete;

    /// Starts a transfer; nothing is heard before the next run(). The listener must
    /// outlive the transfer. Transfers must be dropped before the client's end.
    HttpTransfer start(const ClientRequest &request, HttpListener &listener);

    /// Readable when run() has something to do.
    int fd() const noexcept { return sockets_.fd(); }

    /// Does what a socket that is ready in the loop allows; run() is to follow. Others'
    /// sockets are ignored.
    void take_ready(const PollSet::Ready &socket);

    /// run() is due after this time at the latest; nothing: only when fd() is readable.
    std::optional<std::chrono::milliseconds> timeout() const
    {
        const TimePoint due = std::min(library_due_, overdue_check_);
        return due == never ? std::nullopt
               : due == at_once
                   ? std::optional(std::chrono::milliseconds(0))
                   : std::optional(std::max(std::chrono::milliseconds(0),
                                            std::chrono::ceil<std::chrono::milliseconds>(
                                                due - Steady::now())));
    }

    /// Whether run() is due at once.
    bool is_due() const noexcept { return library_due_ == at_once; }

    /// Sends, reads and tells whatever can be now; never waits. `readable`: whether fd()
    /// may be.
    void run(bool readable = true);

    /// Transfers under way.
    size_t active() const noexcept { return transfers_.used(); }

private:
    friend class HttpTransfer;
    using Steady = std::chrono::steady_clock;
    using TimePoint = Steady::time_point;
    static constexpr TimePoint never = TimePoint::max();
    static constexpr TimePoint at_once = TimePoint::min();
    struct Transfer;
    struct Callbacks;
    struct CleanUpMulti
    {
        void operator()(void *multi) const noexcept;
    };

    void cancel(uint64_t id) noexcept;
    void pause(uint64_t id);
    void resume(uint64_t id);
    void make(Transfer &transfer);
    void set_request(Transfer &transfer, const ClientRequest &request);
    static const void *header_list(Transfer &transfer, std::span<const HttpField> fields);
    void release(uint64_t id) noexcept;
    void set_deadline(Transfer &transfer, std::chrono::milliseconds length);
    void tell_ended();
    void tell_overdue(TimePoint now);
    void end(Transfer &transfer, const HttpEnd &end);
    template <typename Work>
    void in_library(const Work &work);

    HttpClientConfig config_;
    ClientSockets sockets_;
    std::unique_ptr<void, CleanUpMulti> multi_;
    Slots<Transfer> transfers_;
    bool in_library_ = false;
    std::vector<uint64_t> dropped_; // while the library was at work
    std::vector<uint64_t> started_; // the same
    TimePoint now_ = Steady::now(); // when something was last done
    TimePoint library_due_ = never;
    TimePoint overdue_check_ = never; // not after the first transfer's deadline
    ExceptionSlot failures_;
};

/// The version of libcurl that is loaded.
std::string loaded_curl_version();

} // namespace ap
