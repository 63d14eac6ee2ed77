#include "event_reader.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <charconv>

namespace bench {

namespace {

constexpr std::string_view id_field = "id: ";

[[noreturn]] void fail(const std::string &what)
{
    throw ap::Error(ap::ExitStatus::BadData,
                    "follower: expected " + what + " from the server");
}

} // namespace

// Whether the line is complete with what came.
bool EventReader::take_line(std::string_view &bytes)
{
    const size_t end = bytes.find('\n');
    const size_t count = std::min(end, bytes.size());
    line_ += bytes.substr(0, count);
    bytes.remove_prefix(std::min(count + 1, bytes.size()));
    return end != std::string_view::npos;
}

void EventReader::feed(std::string_view bytes)
{
    while (!bytes.empty()) {
        if (part_ == Part::Data) {
            const size_t count = std::min(left_, bytes.size());
            take_text(bytes.substr(0, count));
            bytes.remove_prefix(count);
            left_ -= count;
            part_ = left_ == 0 ? Part::DataEnd : Part::Data;
        } else if (take_line(bytes)) {
            end_line();
            line_.clear();
        }
    }
}

void EventReader::end_line()
{
    const std::string_view line = ap::trim(line_);
    if (part_ == Part::Head) {
        if (line == "Content-Encoding: gzip") {
            gzip_.emplace(ap::Inflate::Format::Gzip);
        }
        part_ = line.empty() ? Part::Size : Part::Head;
    } else if (part_ == Part::DataEnd) {
        part_ = Part::Size;
    } else {
        const auto [end, error] =
            std::from_chars(line.data(), line.data() + line.size(), left_, 16);
        if (error != std::errc() || end != line.data() + line.size()) {
            fail("a chunk");
        }
        part_ = left_ > 0 ? Part::Data : Part::DataEnd;
    }
}

void EventReader::take_text(std::string_view bytes)
{
    const auto take = [this](std::string_view text) {
        event_line_ += text;
        size_t begin = 0;
        for (size_t end = 0; (end = event_line_.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            take_event_line(std::string_view(event_line_).substr(begin, end - begin));
        }
        event_line_.erase(0, begin);
    };
    if (!gzip_) {
        take(bytes);
    } else if (!gzip_->feed(bytes, take)) {
        fail("gzip");
    }
}

void EventReader::take_event_line(std::string_view line)
{
    if (!line.starts_with(id_field)) {
        return;
    }
    const int64_t number =
        ap::require_integer(line.substr(id_field.size()), 1, INT64_MAX, "event");
    if (last_ != 0 && number <= last_) {
        fail("each event once");
    }
    missed_ += last_ == 0 ? 0 : number - last_ - 1;
    last_ = number;
    heard_++;
}

} // namespace bench
