#include "domain/database_pieces.hh"

#include "base/error.hh"
#include "wrap/sodium.hh"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view magic = "apkchg1\n";
constexpr std::string_view pieces_magic = "apkpcs1\n";
constexpr size_t tags_begin = pieces_magic.size() + tag_key_size;
constexpr int64_t block = 16 * piece_size;

std::string encode(int64_t number)
{
    std::string bytes;
    for (int i = 0; i < 8; i++) {
        bytes += static_cast<char>(number >> (8 * i) & 0xff);
    }
    return bytes;
}

int64_t decode(std::string_view bytes)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) {
        number = number << 8 | static_cast<unsigned char>(bytes[static_cast<size_t>(i)]);
    }
    return static_cast<int64_t>(number);
}

int64_t bytes_of_piece(int64_t number, int64_t size)
{
    return std::min(piece_size, size - number * piece_size);
}

int64_t count_of_pieces(int64_t size)
{
    return (size + piece_size - 1) / piece_size;
}

// Fills `data`, which must be there.
void read_whole(const ReadAt &read, std::string &data, int64_t offset)
{
    if (read(data.data(), data.size(), offset) != data.size()) {
        throw Error(ExitStatus::InputOutput, "a file became shorter while it was read");
    }
}

// Adds the tags of the bytes from `offset` to `end`.
void add_range(Pieces &pieces, const ReadAt &read, int64_t offset, int64_t end)
{
    std::string buffer;
    while (offset < end) {
        buffer.resize(static_cast<size_t>(std::min(block, end - offset)));
        read_whole(read, buffer, offset);
        add_pieces(pieces, buffer);
        offset += static_cast<int64_t>(buffer.size());
    }
}

} // namespace

size_t read_at(int fd, char *data, size_t size, int64_t offset, const std::string &name)
{
    size_t have = 0;
    while (have < size) {
        const ssize_t count =
            pread(fd, data + have, size - have, offset + static_cast<int64_t>(have));
        if (count < 0 && errno != EINTR) {
            throw_errno("cannot read '" + name + "'");
        }
        if (count == 0) {
            break;
        }
        have += count < 0 ? 0 : static_cast<size_t>(count);
    }
    return have;
}

Pieces start_pieces(std::string_view base)
{
    if (base.empty()) {
        return std::string(pieces_magic) + random_bytes(tag_key_size);
    }
    if (!base.starts_with(pieces_magic) || base.size() < tags_begin) {
        throw Error(ExitStatus::BadData,
                    "the base has no list of its database's pieces that this program "
                    "knows: make a full backup");
    }
    return Pieces(base.substr(0, tags_begin));
}

void add_pieces(Pieces &pieces, std::string_view data)
{
    const std::string key = pieces.substr(pieces_magic.size(), tag_key_size);
    while (!data.empty()) {
        const std::string_view piece = data.substr(0, piece_size);
        pieces += tag_of(piece, key);
        data.remove_prefix(piece.size());
    }
}

Pieces read_pieces(const ReadAt &read, int64_t size, std::string_view base)
{
    Pieces pieces = start_pieces(base);
    Pieces rest = pieces;
    const int64_t middle = count_of_pieces(size) / 2 * piece_size;
    std::exception_ptr error;
    {
        const std::jthread other([&] {
            try {
                add_range(rest, read, middle, size);
            } catch (...) {
                error = std::current_exception();
            }
        });
        add_range(pieces, read, 0, middle);
    }
    if (error) {
        std::rethrow_exception(error);
    }
    return pieces.append(rest, tags_begin);
}

int64_t pieces_length(int64_t size)
{
    return static_cast<int64_t>(tags_begin) +
           count_of_pieces(size) * static_cast<int64_t>(tag_size);
}

std::vector<int64_t> changed_pieces(std::string_view now, std::string_view before)
{
    std::vector<int64_t> changed;
    for (size_t at = tags_begin; at < now.size(); at += tag_size) {
        if (at + tag_size > before.size() ||
            now.substr(at, tag_size) != before.substr(at, tag_size)) {
            changed.push_back(static_cast<int64_t>((at - tags_begin) / tag_size));
        }
    }
    return changed;
}

int64_t changes_size(int64_t size, const std::vector<int64_t> &changed)
{
    int64_t sum = static_cast<int64_t>(magic.size()) + 8;
    for (const int64_t number : changed) {
        sum += 8 + bytes_of_piece(number, size);
    }
    return sum;
}

void write_changes(const ReadAt &read, int64_t size, const std::vector<int64_t> &changed,
                   const ByteSink &sink)
{
    sink(std::string(magic) + encode(size));
    std::string piece;
    for (const int64_t number : changed) {
        piece.resize(static_cast<size_t>(bytes_of_piece(number, size)));
        read_whole(read, piece, number * piece_size);
        sink(encode(number));
        sink(piece);
    }
}

ChangesReader::ChangesReader(int fd, std::string name)
    : fd_(fd)
    , name_(std::move(name))
{
}

void ChangesReader::add(std::string_view data)
{
    buffer_.append(data);
    if (size_ < 0 && !take_header()) {
        return;
    }
    while (take_piece()) {
    }
}

bool ChangesReader::take_header()
{
    const size_t length = magic.size() + 8;
    if (buffer_.size() < length) {
        return false;
    }
    size_ = decode(std::string_view(buffer_).substr(magic.size()));
    if (!buffer_.starts_with(magic) || size_ < 0) {
        throw Error(ExitStatus::BadData, name_ + ": expected the changes of a database");
    }
    buffer_.erase(0, length);
    if (ftruncate(fd_, size_) != 0) {
        throw_errno("cannot set the size of the database");
    }
    return true;
}

bool ChangesReader::take_piece()
{
    if (buffer_.size() < 8) {
        return false;
    }
    const int64_t number = decode(buffer_);
    if (number < 0 || number >= count_of_pieces(size_)) {
        throw Error(ExitStatus::BadData, name_ + ": a piece lies beyond the database");
    }
    const auto length = static_cast<size_t>(bytes_of_piece(number, size_));
    if (buffer_.size() < 8 + length) {
        return false;
    }
    size_t done = 0;
    while (done < length) {
        const ssize_t count = pwrite(fd_, buffer_.data() + 8 + done, length - done,
                                     number * piece_size + static_cast<int64_t>(done));
        if (count < 0 && errno != EINTR) {
            throw_errno("cannot write the database");
        }
        done += count < 0 ? 0 : static_cast<size_t>(count);
    }
    buffer_.erase(0, 8 + length);
    return true;
}

void ChangesReader::finish()
{
    if (size_ < 0 || !buffer_.empty()) {
        throw Error(ExitStatus::BadData,
                    name_ + ": the changes of the database end too early");
    }
}

} // namespace ap
