#include "sys/capped_log.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view marker_start = "\n[... ";
constexpr std::string_view marker_end = " bytes dropped ...]\n";
constexpr size_t marker_digits = 15;
constexpr int64_t marker_size = marker_start.size() + marker_digits + marker_end.size();

std::string marker(int64_t dropped)
{
    std::string digits = std::to_string(dropped);
    digits.insert(0, marker_digits - std::min(marker_digits, digits.size()), ' ');
    return std::string(marker_start) + digits + std::string(marker_end);
}

void write_at(int fd, std::string_view data, int64_t offset, const std::string &path)
{
    while (!data.empty()) {
        const ssize_t count = pwrite(fd, data.data(), data.size(), offset);
        if (count < 0) {
            throw_errno("cannot write '" + path + "'");
        }
        data.remove_prefix(static_cast<size_t>(count));
        offset += count;
    }
}

// Moves the bytes from `from` to the end of the file down to `to`, forwards, so that what
// is still to be moved is never overwritten; returns where they end now.
int64_t move_down(int fd, int64_t from, int64_t to, const std::string &path)
{
    std::array<char, 65536> buffer;
    ssize_t count = 0;
    while ((count = pread(fd, buffer.data(), buffer.size(), from)) > 0) {
        write_at(fd, {buffer.data(), static_cast<size_t>(count)}, to, path);
        from += count;
        to += count;
    }
    if (count < 0) {
        throw_errno("cannot read '" + path + "'");
    }
    return to;
}

// How many bytes an existing file says were dropped; 0 if its middle is all there.
int64_t dropped_before(int fd, int64_t head)
{
    std::array<char, static_cast<size_t>(marker_size)> found{};
    if (pread(fd, found.data(), found.size(), head) != marker_size) {
        return 0;
    }
    const std::string_view text(found.data(), found.size());
    if (!text.starts_with(marker_start) || !text.ends_with(marker_end)) {
        return 0;
    }
    const auto count = parse_integer(
        trim(text.substr(marker_start.size(), marker_digits)), 1, INT64_MAX);
    return count.value_or(0);
}

} // namespace

CappedLog::CappedLog(const std::string &path, int64_t limit)
    : path_(path)
    , fd_(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600))
    , limit_(std::max(limit, smallest_limit))
{
    struct stat status = {};
    if (fstat(fd_.get(), &status) != 0) {
        throw_errno("cannot look at '" + path + "'");
    }
    size_ = status.st_size;
    dropped_ = dropped_before(fd_.get(), limit_ / 4);
}

void CappedLog::append(std::string_view data)
{
    total_ += static_cast<int64_t>(data.size());
    while (!data.empty()) {
        if (size_ >= limit_) {
            drop_middle();
        }
        const auto room = static_cast<size_t>(std::max<int64_t>(1, limit_ - size_));
        const std::string_view piece = data.substr(0, room);
        write_at(fd_.get(), piece, size_, path_);
        size_ += static_cast<int64_t>(piece.size());
        data.remove_prefix(piece.size());
    }
}

// Keeps the first quarter and the last half of the limit.
void CappedLog::drop_middle()
{
    const int64_t head = limit_ / 4;
    const int64_t tail_starts = size_ - limit_ / 2;
    const int64_t gap_starts = dropped_ > 0 ? head + marker_size : head;
    dropped_ += tail_starts - gap_starts;
    size_ = move_down(fd_.get(), tail_starts, head + marker_size, path_);
    write_at(fd_.get(), marker(dropped_), head, path_);
    if (ftruncate(fd_.get(), size_) != 0) {
        throw_errno("cannot shorten '" + path_ + "'");
    }
}

} // namespace ap
