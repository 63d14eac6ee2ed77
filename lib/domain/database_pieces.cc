#include "domain/database_pieces.hh"

#include "base/error.hh"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view magic = "apkchg1\n";
constexpr size_t piece_hash_size = 16;
constexpr size_t block = 64 * piece_size;

// Up to `size` bytes at `offset`; fewer at the end of the file.
std::string_view read_at(int fd, std::string &buffer, size_t size, int64_t offset,
                         const std::string &name)
{
    buffer.resize(size);
    size_t have = 0;
    while (have < size) {
        const ssize_t count = pread(fd, buffer.data() + have, size - have,
                                    offset + static_cast<int64_t>(have));
        if (count < 0 && errno != EINTR) {
            throw_errno("cannot read '" + name + "'");
        }
        if (count == 0) {
            break;
        }
        have += count < 0 ? 0 : static_cast<size_t>(count);
    }
    return std::string_view(buffer).substr(0, have);
}

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

std::string hash_pieces(int fd, const std::string &name)
{
    Sha256Stream stream;
    std::string hashes;
    std::string buffer;
    int64_t offset = 0;
    while (true) {
        std::string_view data = read_at(fd, buffer, block, offset, name);
        if (data.empty()) {
            return hashes;
        }
        offset += static_cast<int64_t>(data.size());
        while (!data.empty()) {
            const size_t part = std::min<size_t>(data.size(), piece_size);
            stream.add(data.substr(0, part));
            const Sha256 hash = stream.finish();
            hashes.append(hash.begin(), hash.begin() + piece_hash_size);
            data.remove_prefix(part);
        }
    }
}

int64_t bytes_of_piece(int64_t number, int64_t size)
{
    return std::min(piece_size, size - number * piece_size);
}

} // namespace

DatabasePieces read_pieces(int fd, const std::string &name)
{
    DatabasePieces pieces;
    std::exception_ptr error;
    {
        // The same bytes are hashed twice, at the same time.
        const std::jthread other([&] {
            try {
                pieces.hashes = hash_pieces(fd, name);
            } catch (...) {
                error = std::current_exception();
            }
        });
        Sha256Stream stream;
        std::string buffer;
        std::string_view data;
        while (!(data = read_at(fd, buffer, block, pieces.size, name)).empty()) {
            stream.add(data);
            pieces.size += static_cast<int64_t>(data.size());
        }
        pieces.hash = stream.finish();
    }
    if (error) {
        std::rethrow_exception(error);
    }
    return pieces;
}

std::vector<int64_t> changed_pieces(const DatabasePieces &now, std::string_view before)
{
    std::vector<int64_t> changed;
    const std::string_view hashes = now.hashes;
    for (size_t at = 0; at < hashes.size(); at += piece_hash_size) {
        if (at + piece_hash_size > before.size() ||
            hashes.substr(at, piece_hash_size) != before.substr(at, piece_hash_size)) {
            changed.push_back(static_cast<int64_t>(at / piece_hash_size));
        }
    }
    return changed;
}

int64_t changes_size(const DatabasePieces &now, const std::vector<int64_t> &changed)
{
    int64_t size = static_cast<int64_t>(magic.size()) + 8;
    for (const int64_t number : changed) {
        size += 8 + bytes_of_piece(number, now.size);
    }
    return size;
}

void write_changes(int fd, const DatabasePieces &now, const std::vector<int64_t> &changed,
                   const ByteSink &sink, const std::string &name)
{
    sink(std::string(magic) + encode(now.size));
    std::string buffer;
    for (const int64_t number : changed) {
        const auto size = static_cast<size_t>(bytes_of_piece(number, now.size));
        const std::string_view data =
            read_at(fd, buffer, size, number * piece_size, name);
        if (data.size() != size) {
            throw Error(ExitStatus::InputOutput, "'" + name + "' became shorter");
        }
        sink(encode(number));
        sink(data);
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
    if (number < 0 || number >= (size_ + piece_size - 1) / piece_size) {
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
