#include "net/log_streams.hh"

#include "net/request_target.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t piece_size = 64 << 10;
constexpr size_t longest_queue = 256 << 10;

// A log's writer is asked only now and then whether it has gone.
constexpr int ticks_between_questions = 5;

uint64_t size_of(int file)
{
    struct stat status = {};
    if (fstat(file, &status) != 0) {
        throw_errno("cannot look at a log");
    }
    return static_cast<uint64_t>(status.st_size);
}

Fd open_log(const std::string &path)
{
    try {
        Fd file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        struct stat status = {};
        if (fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) {
            return file;
        }
    } catch (const SystemError &error) {
        if (error.code() != ENOENT && error.code() != ELOOP) {
            throw;
        }
    }
    throw Error(ExitStatus::NoInput, "no such log");
}

std::string range_text(const ByteRange &range, uint64_t size)
{
    return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) +
           "/" + std::to_string(size);
}

} // namespace

void LogStreams::open(const std::shared_ptr<HttpExchange> &exchange,
                      const HttpRequest &request, const std::string &path,
                      MayGrow may_grow, bool over_tls, std::string_view type)
{
    auto stream = std::make_shared<Stream>();
    stream->exchange = exchange;
    stream->file = open_log(path);
    const uint64_t size = size_of(stream->file.get());
    const auto tail = static_cast<uint64_t>(request.number("tail", 0, INT64_MAX, -1));
    std::vector<HttpField> fields = common_fields(over_tls);
    fields.push_back({"Content-Type", type});
    if (request.field("follow") == "1") {
        const auto from = static_cast<uint64_t>(
            request.number("from", 0, INT64_MAX, static_cast<int64_t>(size)));
        stream->at = request.field("tail") ? size - std::min(tail, size) : from;
        stream->may_grow = std::move(may_grow);
        exchange->begin(200, fields);
        followers_.push_back(std::move(stream));
        return;
    }
    fields.push_back({"Accept-Ranges", "bytes"});
    const RangeRequest range = read_range(exchange->field("range"), size);
    if (range.kind == RangeRequest::Kind::Unsatisfiable) {
        HttpReply reply =
            problem_reply(416, "the file has " + std::to_string(size) + " bytes");
        send_reply(*exchange,
                   reply.add("Content-Range", "bytes */" + std::to_string(size)),
                   over_tls);
        return;
    }
    const bool is_part = range.kind == RangeRequest::Kind::Part;
    const std::string text = is_part ? range_text(range.range, size) : "";
    if (is_part) {
        fields.push_back({"Content-Range", text});
    }
    stream->at = is_part                 ? range.range.first
                 : request.field("tail") ? size - std::min(tail, size)
                                         : 0;
    stream->end = is_part ? range.range.last + 1 : size;
    exchange->on_drained(piece_size / 2, [stream] { send_more(*stream); });
    exchange->begin(is_part ? 206 : 200, fields, stream->end - stream->at);
    send_more(*stream);
}

void LogStreams::send_more(Stream &stream)
{
    std::array<char, piece_size> buffer{};
    while (stream.at < stream.end && stream.exchange->queued() < piece_size) {
        const size_t wanted = std::min<uint64_t>(buffer.size(), stream.end - stream.at);
        const ssize_t count = pread(stream.file.get(), buffer.data(), wanted,
                                    static_cast<off_t>(stream.at));
        if (count <= 0) {
            stream.exchange->abort(); // it became shorter, as a capped log may
            return;
        }
        stream.exchange->write({buffer.data(), static_cast<size_t>(count)});
        stream.at += static_cast<uint64_t>(count);
    }
    if (stream.at == stream.end) {
        stream.exchange->finish();
    }
}

// False when the stream is over.
bool LogStreams::follow(Stream &stream)
{
    if (stream.exchange->over()) {
        return false;
    }
    // Asked before the file is read to its end, so that nothing is missed.
    const bool asks = stream.idle++ % ticks_between_questions == 0;
    const bool may_grow = !asks || stream.may_grow();
    const uint64_t size = size_of(stream.file.get());
    // A capped log that dropped its middle is shorter than before; what follows is new.
    stream.at = std::min(stream.at, size);
    std::array<char, piece_size> buffer{};
    while (stream.at < size && stream.exchange->queued() < longest_queue) {
        const ssize_t count = pread(stream.file.get(), buffer.data(), buffer.size(),
                                    static_cast<off_t>(stream.at));
        if (count <= 0) {
            break;
        }
        stream.exchange->write({buffer.data(), static_cast<size_t>(count)});
        stream.at += static_cast<uint64_t>(count);
    }
    if (!may_grow && stream.at >= size) {
        stream.exchange->finish();
        return false;
    }
    return true;
}

void LogStreams::tick()
{
    std::erase_if(followers_, [](const auto &stream) { return !follow(*stream); });
}

void LogStreams::close()
{
    for (const auto &stream : followers_) {
        stream->exchange->finish();
    }
    followers_.clear();
}

} // namespace ap
