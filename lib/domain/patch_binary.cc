#include "domain/patch_binary.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/sha256.hh"
#include "wrap/zlib.hh"

#include <algorithm>
#include <array>
#include <utility>

namespace ap {

namespace {

constexpr std::string_view digits_85 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    "!#$%&()*+-;<=>?@^_`{|}~";
constexpr size_t group_digits = 5; ///< of base 85, for so many bytes:
constexpr size_t group_bytes = 4;

constexpr size_t sha1_digits = 40;
constexpr size_t sha256_digits = 64;

[[noreturn]] void refuse(size_t line, const std::string &why)
{
    throw Error(ExitStatus::BadData, "line " + std::to_string(line + 1) + ": " + why);
}

[[noreturn]] void fail(const std::string &why)
{
    throw Error(ExitStatus::Failed, why);
}

std::string_view without_end(std::string_view line)
{
    while (line.ends_with('\n') || line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

// Four bytes of five digits; nothing for what is none.
std::optional<std::array<char, group_bytes>> decode_group(std::string_view digits)
{
    uint64_t value = 0;
    for (const char digit : digits) {
        const size_t place = digits_85.find(digit);
        if (place == std::string_view::npos) {
            return std::nullopt;
        }
        value = value * digits_85.size() + place;
    }
    if (value > UINT32_MAX) {
        return std::nullopt;
    }
    return std::array<char, group_bytes>{
        static_cast<char>(value >> 24), static_cast<char>(value >> 16),
        static_cast<char>(value >> 8), static_cast<char>(value)};
}

// Appends what a line stands for: its length as a letter, then groups of digits, of which
// the last may have up to three bytes too many.
bool decode_line(std::string_view line, std::string &bytes)
{
    const char letter = line.front();
    const bool is_upper = letter >= 'A' && letter <= 'Z';
    const bool is_lower = letter >= 'a' && letter <= 'z';
    const size_t length = is_upper   ? static_cast<size_t>(letter - 'A') + 1
                          : is_lower ? static_cast<size_t>(letter - 'a') + 27
                                     : 0;
    line.remove_prefix(1);
    const size_t most = line.size() / group_digits * group_bytes;
    if (length == 0 || line.size() % group_digits != 0 || length > most ||
        length + group_bytes <= most) {
        return false;
    }
    std::string whole;
    for (; !line.empty(); line.remove_prefix(group_digits)) {
        const auto group = decode_group(line.substr(0, group_digits));
        if (!group) {
            return false;
        }
        whole.append(group->data(), group->size());
    }
    bytes += whole.substr(0, length);
    return true;
}

// "literal 12" or "delta 12"; nothing for another line.
std::optional<BinaryHunk> hunk_header(std::string_view line)
{
    for (const auto &[word, is_delta] :
         {std::pair<std::string_view, bool>("literal ", false), {"delta ", true}}) {
        const auto size =
            line.starts_with(word)
                ? parse_integer(without_end(line).substr(word.size()), 0, INT64_MAX)
                : std::nullopt;
        if (size) {
            return BinaryHunk{is_delta, *size, {}};
        }
    }
    return std::nullopt;
}

std::optional<BinaryHunk> read_hunk_at(const std::vector<std::string_view> &lines,
                                       size_t &at)
{
    auto hunk = at < lines.size() ? hunk_header(lines[at]) : std::nullopt;
    if (!hunk) {
        return std::nullopt;
    }
    for (at++; at < lines.size() && !without_end(lines[at]).empty(); at++) {
        if (!decode_line(without_end(lines[at]), hunk->deflated)) {
            refuse(at, "expected a line of a binary diff, got '" +
                           printable(without_end(lines[at]), 40) + "'");
        }
    }
    if (at == lines.size()) {
        refuse(at - 1, "expected an empty line after a binary diff, got its end");
    }
    at++;
    return hunk;
}

std::string inflated(const BinaryHunk &hunk, int64_t limit)
{
    if (hunk.size > limit) {
        fail("is larger than " + std::to_string(limit) + " bytes");
    }
    const auto size = static_cast<size_t>(hunk.size);
    std::string bytes;
    Inflate inflate(Inflate::Format::Deflate);
    const bool is_sound = inflate.feed(hunk.deflated, [&](std::string_view piece) {
        if (piece.size() > size - bytes.size()) {
            fail("has more bytes than its binary diff says");
        }
        bytes += piece;
    });
    if (!is_sound || !inflate.ended() || bytes.size() != size) {
        fail("has a binary diff that cannot be decompressed to the bytes it says");
    }
    return bytes;
}

// The instructions of a delta: two sizes, then copies of the old bytes and new bytes.
class Delta
{
public:
    explicit Delta(std::string_view bytes)
        : bytes_(bytes)
    {
    }

    std::string apply(std::string_view before, int64_t limit)
    {
        const uint64_t old_size = number();
        const uint64_t new_size = number();
        if (old_size != before.size()) {
            fail("is not what its binary diff was made for");
        }
        if (new_size > static_cast<uint64_t>(limit)) {
            fail("is larger than " + std::to_string(limit) + " bytes");
        }
        std::string after;
        while (at_ < bytes_.size()) {
            const unsigned instruction = next();
            const std::string_view piece = (instruction & 0x80) != 0
                                               ? copied(instruction, before)
                                               : inserted(instruction);
            if (piece.size() > new_size - after.size()) {
                broken();
            }
            after += piece;
        }
        if (after.size() != new_size) {
            broken();
        }
        return after;
    }

private:
    [[noreturn]] static void broken() { fail("has a binary diff that makes no sense"); }

    unsigned next()
    {
        if (at_ == bytes_.size()) {
            broken();
        }
        return static_cast<unsigned char>(bytes_[at_++]);
    }

    // Seven bits a byte, the lowest first, until one without the eighth.
    uint64_t number()
    {
        constexpr int most_bits = 56;
        uint64_t value = 0;
        for (int shift = 0; shift < most_bits; shift += 7) {
            const unsigned byte = next();
            value |= uint64_t{byte & 0x7f} << shift;
            if ((byte & 0x80) == 0) {
                return value;
            }
        }
        broken();
    }

    // Four bits say which bytes of the offset follow, three which of the length.
    std::string_view copied(unsigned instruction, std::string_view before)
    {
        constexpr size_t usual_length = 0x10000;
        size_t offset = 0;
        size_t length = 0;
        for (unsigned i = 0; i < 4; i++) {
            offset |= (instruction & (1U << i)) != 0 ? size_t{next()} << (8 * i) : 0;
        }
        for (unsigned i = 0; i < 3; i++) {
            length |= (instruction & (0x10U << i)) != 0 ? size_t{next()} << (8 * i) : 0;
        }
        length = length == 0 ? usual_length : length;
        if (offset > before.size() || length > before.size() - offset) {
            broken();
        }
        return before.substr(offset, length);
    }

    std::string_view inserted(unsigned length)
    {
        if (length == 0 || length > bytes_.size() - at_) {
            broken();
        }
        at_ += length;
        return bytes_.substr(at_ - length, length);
    }

    std::string_view bytes_;
    size_t at_ = 0;
};

bool is_full_id(std::string_view id)
{
    return (id.size() == sha1_digits || id.size() == sha256_digits) &&
           id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_no_file(std::string_view id)
{
    return id.find_first_not_of('0') == std::string_view::npos;
}

// Whether git calls these bytes by this id, whose length says by which hash. A file that
// is not there has zeros.
bool has_id(std::string_view bytes, std::string_view id)
{
    if (is_no_file(id)) {
        return bytes.empty();
    }
    std::string blob = "blob " + std::to_string(bytes.size());
    blob += '\0';
    blob += bytes;
    return id == (id.size() == sha1_digits ? sha1_hex(blob) : to_hex(sha256(blob)));
}

} // namespace

BinaryChange read_binary_change(const std::vector<std::string_view> &lines, size_t &at)
{
    BinaryChange change;
    auto forward = read_hunk_at(lines, at);
    if (!forward) {
        refuse(std::min(at, lines.size() - 1),
               "expected 'literal SIZE' or 'delta SIZE' of a binary diff");
    }
    change.forward = std::move(*forward);
    change.backward = read_hunk_at(lines, at);
    return change;
}

void reverse_binary_change(BinaryChange &change)
{
    if (!change.backward) {
        throw Error(ExitStatus::BadData, "a binary diff of one direction only cannot be "
                                         "reversed");
    }
    std::swap(change.forward, *change.backward);
    std::swap(change.old_id, change.new_id);
}

std::string apply_binary_change(std::string_view before, const BinaryChange &change,
                                int64_t limit)
{
    if (!is_full_id(change.old_id) || !is_full_id(change.new_id)) {
        fail("has a binary diff without full ids in the line 'index'");
    }
    if (!has_id(before, change.old_id)) {
        fail("is not what its binary diff was made for");
    }
    if (is_no_file(change.new_id)) {
        return {};
    }
    std::string bytes = inflated(change.forward, limit);
    std::string after =
        change.forward.is_delta ? Delta(bytes).apply(before, limit) : std::move(bytes);
    if (!has_id(after, change.new_id)) {
        fail("would not be what its binary diff says");
    }
    return after;
}

} // namespace ap
