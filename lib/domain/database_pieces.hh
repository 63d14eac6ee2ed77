#pragma once

#include "base/bytes.hh"
#include "wrap/sha256.hh"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The bytes of a database file that are compared, and kept, as one. The smaller, the
/// less an incremental backup holds, and the more there is to remember of each backup:
/// sixteen bytes for each piece.
inline constexpr int64_t piece_size = 16384;

/// A file's hash as a whole, and the first 16 bytes of the SHA-256 of each of its pieces
/// one after the other.
struct DatabasePieces
{
    int64_t size = 0;
    Sha256 hash{};
    std::string hashes;
};

DatabasePieces read_pieces(int fd, const std::string &name);

/// The numbers, from 0, of the pieces of `now` that the file with the pieces `before`
/// does not have in the same place.
std::vector<int64_t> changed_pieces(const DatabasePieces &now, std::string_view before);

/// The bytes that write_changes() will write.
int64_t changes_size(const DatabasePieces &now, const std::vector<int64_t> &changed);

/// Writes those pieces of the file: a header ("apkchg1\n", the size of the file as 8
/// bytes, little-endian), then the number (8 bytes) and the bytes of each piece.
void write_changes(int fd, const DatabasePieces &now, const std::vector<int64_t> &changed,
                   const ByteSink &sink, const std::string &name);

/// Takes what write_changes() wrote, in pieces of any size, and brings a file up to date
/// with it. Throws Error(BadData), beginning with `name`, for anything else.
class ChangesReader
{
public:
    ChangesReader(int fd, std::string name);

    void add(std::string_view data);

    /// To be called at the end of the data.
    void finish();

private:
    bool take_header();
    bool take_piece();

    int fd_;
    std::string name_;
    std::string buffer_;
    int64_t size_ = -1; // of the file; -1 until it is known
};

} // namespace ap
