#pragma once

#include "base/http_field.hh"
#include "base/packed_fields.hh"
#include "base/send_queue.hh"
#include "wrap/http_connection.hh"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One request and its answer. Shared between the server and whoever answers it; once it
/// is over (answered, or the client is gone) every call is allowed and does nothing. All
/// calls are made on the server's thread.
class HttpExchange
{
public:
    using OnPiece = std::function<void(std::string_view)>;
    using OnBody = std::function<void(std::string)>;
    using OnClose = std::function<void(bool whole)>;
    using Call = std::function<void()>;

    HttpExchange(HttpConnection &connection, std::string_view target);
    ~HttpExchange() = default;
    HttpExchange(const HttpExchange &) = delete;
    HttpExchange &operator=(const HttpExchange &) = delete;

    /// The request. What the views point to lives until the exchange is over.
    std::string_view method() const noexcept { return method_; }

    /// Path and query as they were sent: nothing is decoded or normalised.
    std::string_view target() const noexcept { return target_; }
    std::string_view path() const noexcept;  ///< the target before its first '?'
    std::string_view query() const noexcept; ///< after it; empty without one

    /// All header fields in the order they were sent.
    std::span<const HttpField> fields() const noexcept { return fields_; }
    std::optional<std::string_view> field(std::string_view name) const noexcept
    {
        return find_field(fields_, name);
    }

    /// The client's numeric address; "unix" on a Unix socket; empty when over.
    std::string_view peer() const noexcept;

    /// Collects the body, which may be empty, and calls `then` once with all of it. With
    /// more than `limit` bytes the server answers 413 itself. To be called, like
    /// stream_body(), by the server's handler; without either the body is discarded, and
    /// a client that goes on for more than a few MiB is cut off.
    void read_body(size_t limit, OnBody then);

    /// Calls `on_piece` for each piece of the body as it arrives, then `on_end` once.
    void stream_body(OnPiece on_piece, Call on_end);

    /// Stops and goes on with reading the body from the client.
    void pause_body() { body_paused_ = true; }
    void resume_body();

    /// Answers with a whole body. The server frames the message: Content-Length,
    /// Transfer-Encoding and Connection among `fields` are left out, a missing Date is
    /// added. An answer given before all of the body was read costs the connection.
    void respond(int status, std::span<const HttpField> fields, std::string body);

    /// Begins an answer of `length` bytes, or without one of as many as write() gives.
    void begin(int status, std::span<const HttpField> fields,
               std::optional<uint64_t> length = std::nullopt);

    /// Appends to the answer; it is sent as the client takes it, from run().
    void write(std::string_view piece);

    /// The same for a piece that many exchanges send, without a copy for each.
    void write(std::shared_ptr<const std::string> piece);

    /// Ends the answer. If fewer bytes than announced were written, as abort().
    void finish();

    /// Cuts the connection, so that the client sees that the answer is not whole.
    void abort();

    /// Bytes written and not yet handed to the client's connection.
    size_t queued() const noexcept { return out_.size(); }

    /// Calls `call` each time queued() falls to `below` or less.
    void on_drained(size_t below, Call call);

    /// Calls `call` once when the exchange is over: `whole` if all of the answer went
    /// out; otherwise the client is gone, or abort() or the server's end cut it.
    void on_close(OnClose call) { on_close_ = std::move(call); }

    /// Whether an answer was begun, and whether the exchange is over.
    bool begun() const noexcept { return status_ != 0; }
    bool over() const noexcept { return connection_ == nullptr; }

    /// The rest is for the server's own use.

    /// What there is to send now: bytes, none yet, none any more, or cut the connection.
    enum class Supply { Some, Later, End, Cut };

    /// An answer as it is known when its first byte is to be sent.
    struct Answer
    {
        int status;
        std::optional<uint64_t> length;
        std::optional<std::string_view> whole; ///< the whole body, if it is known
    };

    void set_method(std::string_view method) { method_ = method; }
    void add_field(const HttpField &field) { fields_.push_back(field); }
    void take_piece(std::string_view piece);
    void take_end();
    bool body_paused() const noexcept { return body_paused_; }
    bool aborted() const noexcept { return aborted_; }
    Answer answer() const noexcept;
    const PackedFields &answer_fields() const noexcept { return answer_fields_; }
    Supply supply(char *buffer, size_t size, size_t &taken);
    void end(bool whole);

private:
    void discard(size_t size);

    HttpConnection *connection_;
    std::string target_;
    std::string_view method_;
    std::vector<HttpField> fields_;

    OnPiece on_piece_;
    Call on_end_;
    OnBody on_body_;
    std::string body_;
    size_t body_limit_ = 0;
    bool body_paused_ = false;
    bool body_ended_ = false;
    size_t discarded_ = 0;

    int status_ = 0;
    PackedFields answer_fields_;
    std::optional<uint64_t> length_;
    SendQueue out_;
    uint64_t written_ = 0;
    bool finished_ = false;
    bool aborted_ = false;
    size_t drained_below_ = 0;
    Call on_drained_;
    OnClose on_close_;
};

} // namespace ap
