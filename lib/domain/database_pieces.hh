#pragma once

#include "base/bytes.hh"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The bytes of a database file that are compared, and kept, as one. The smaller, the
/// less an incremental backup holds, and the more there is to remember of each backup:
/// sixteen bytes for each piece.
inline constexpr int64_t piece_size = 16384;

/// Reads `size` bytes at `offset`, fewer at the end of the file only; returns how many.
using ReadAt = std::function<size_t(char *data, size_t size, int64_t offset)>;

/// As a ReadAt, of the file `fd`. Throws Error(InputOutput), naming `name`.
size_t read_at(int fd, char *data, size_t size, int64_t offset, const std::string &name);

/// What a backup remembers of its database's pieces: "apkpcs1\n", a random key of 32
/// bytes, and the tag of each piece (tag_of() of sodium.hh with that key). Tags show an
/// accident or a change with certainty for all practical purposes, at twice the speed of
/// SHA-256; they are no signature, as the key is there for everyone to see.
using Pieces = std::string;

/// The beginning of what is remembered, with the key of `base`, or a new one if that is
/// empty. Throws Error(BadData) if `base` is no list of pieces.
Pieces start_pieces(std::string_view base);

/// Adds the tags of the pieces that `data` is made up of; only the last may be short.
void add_pieces(Pieces &pieces, std::string_view data);

/// The pieces of a whole file of `size` bytes, with the key of `base` as above. Reads in
/// two threads.
Pieces read_pieces(const ReadAt &read, int64_t size, std::string_view base);

/// The bytes of the list of a file of `size` bytes.
int64_t pieces_length(int64_t size);

/// The numbers, from 0, of the pieces of `now` that the file with the pieces `before`
/// does not have in the same place. Both have the same key.
std::vector<int64_t> changed_pieces(std::string_view now, std::string_view before);

/// The bytes that write_changes() will write of a file of `size` bytes.
int64_t changes_size(int64_t size, const std::vector<int64_t> &changed);

/// Writes those pieces of the file: a header ("apkchg1\n", the size of the file as 8
/// bytes, little-endian), then the number (8 bytes) and the bytes of each piece.
void write_changes(const ReadAt &read, int64_t size, const std::vector<int64_t> &changed,
                   const ByteSink &sink);

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
