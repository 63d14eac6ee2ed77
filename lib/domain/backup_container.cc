#include "domain/backup_container.hh"

#include "base/error.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view magic = "autopack-sealed 1 ";
constexpr size_t longest_label = 2000;
constexpr size_t block = 262144;
constexpr std::string_view head_context = " head";
constexpr std::string_view body_context = " body";

std::string to_hex_text(std::string_view bytes)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text.append(1, digits[value >> 4]).append(1, digits[value & 15]);
    }
    return text;
}

std::string from_hex_text(std::string_view text)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string bytes;
    for (size_t i = 0; i + 1 < text.size(); i += 2) {
        const size_t high = digits.find(text[i]);
        const size_t low = digits.find(text[i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return {};
        }
        bytes += static_cast<char>(16 * high + low);
    }
    return bytes;
}

std::string label_line(const BackupLabel &label, const KeyDerivation &derivation,
                       uint64_t head_size)
{
    Json json = Json::object();
    json.set("id", label.id)
        .set("base", label.base)
        .set("created_at", label.created_at)
        .set("salt", to_hex_text(derivation.salt))
        .set("operations", static_cast<int64_t>(derivation.operations))
        .set("memory", static_cast<int64_t>(derivation.memory))
        .set("head", static_cast<int64_t>(head_size));
    return std::string(magic) + json.dump() + "\n";
}

// The first line of an encrypted file, its newline included; empty for other files.
std::string first_line(int fd, const std::string &name)
{
    std::string text(longest_label, '\0');
    const ssize_t count = pread(fd, text.data(), text.size(), 0);
    if (count < 0) {
        throw_errno("cannot read '" + name + "'");
    }
    text.resize(static_cast<size_t>(count));
    const size_t end = text.find('\n');
    if (!text.starts_with(magic) || end == std::string::npos) {
        return {};
    }
    text.resize(end + 1);
    return text;
}

Json parse_label(const std::string &line, const std::string &name)
{
    const std::string_view text = std::string_view(line).substr(magic.size());
    Json json = Json::parse(text, name);
    for (const char *key : {"id", "base", "salt"}) {
        if (!json.get_string(key)) {
            throw Error(ExitStatus::BadData,
                        name + ": expected a string '" + key + "' in its first line");
        }
    }
    for (const char *key : {"created_at", "operations", "memory", "head"}) {
        if (json.get_integer(key).value_or(-1) < 0) {
            throw Error(ExitStatus::BadData,
                        name + ": expected a number '" + key + "' in its first line");
        }
    }
    return json;
}

SealKey key_of(const Json &label, const std::string &passphrase)
{
    KeyDerivation derivation;
    derivation.salt = from_hex_text(label.get("salt").as_string());
    derivation.operations = static_cast<uint64_t>(label.get("operations").as_integer());
    derivation.memory = static_cast<uint64_t>(label.get("memory").as_integer());
    return {passphrase, derivation};
}

void seek(int fd, uint64_t position)
{
    if (lseek(fd, static_cast<off_t>(position), SEEK_SET) < 0) {
        throw_errno("cannot seek in the backup");
    }
}

} // namespace

BackupOutput::BackupOutput(int fd, uint64_t head_size,
                           const std::optional<std::string> &passphrase,
                           const BackupLabel &label)
    : fd_(fd)
    , head_size_(head_size)
{
    uint64_t begin = head_size_;
    if (passphrase) {
        const KeyDerivation derivation = KeyDerivation::make();
        label_ = label_line(label, derivation, head_size_);
        key_.emplace(*passphrase, derivation);
        write_all(fd_, label_, "the backup");
        begin = label_.size() + sealed_size(head_size_);
    }
    seek(fd_, begin);
    begin_ = end_ = flushed_ = static_cast<int64_t>(begin);
    if (key_) {
        body_ = std::make_unique<SealWriter>(
            [this](std::string_view data) { write_file(data); }, *key_,
            label_ + std::string(body_context));
    }
}

void BackupOutput::write_file(std::string_view data)
{
    constexpr int64_t flush_size = int64_t{8} << 20;
    write_all(fd_, data, "the backup");
    end_ += static_cast<int64_t>(data.size());
    if (end_ - flushed_ >= flush_size) {
        // The disk works meanwhile, and the sync at the end is short. Only a hint: it is
        // the sync that counts, and says what is wrong.
        static_cast<void>(
            sync_file_range(fd_, flushed_, end_ - flushed_, SYNC_FILE_RANGE_WRITE));
        flushed_ = end_;
    }
}

void BackupOutput::write(std::string_view data)
{
    if (body_) {
        body_->write(data);
    } else {
        write_file(data);
    }
}

void BackupOutput::finish_body()
{
    if (body_) {
        body_->finish();
    }
}

void BackupOutput::finish(std::string_view head)
{
    if (head.size() != head_size_) {
        throw Error(ExitStatus::Bug, "the head of the backup has another size");
    }
    seek(fd_, label_.size());
    if (!key_) {
        write_all(fd_, head, "the backup");
        return;
    }
    SealWriter writer(
        [this](std::string_view data) { write_all(fd_, data, "the backup"); }, *key_,
        label_ + std::string(head_context));
    writer.write(head);
    writer.finish();
}

ByteSource BackupOutput::body_reader(ByteSource raw, std::string name) const
{
    if (!key_) {
        return raw;
    }
    const auto reader = std::make_shared<SealReader>(
        std::move(raw), *key_, label_ + std::string(body_context), std::move(name));
    return [reader] { return reader->read(); };
}

BackupInput::BackupInput(int fd, std::string name,
                         const std::optional<std::string> &passphrase)
    : fd_(fd)
    , name_(std::move(name))
    , label_(first_line(fd, name_))
{
    if (label_.empty()) {
        return;
    }
    if (!passphrase) {
        throw Error(ExitStatus::BadData,
                    name_ + ": is encrypted: give --passphrase-file");
    }
    const Json label = parse_label(label_, name_);
    key_.emplace(key_of(label, *passphrase));
    head_left_ = sealed_size(static_cast<uint64_t>(label.get("head").as_integer()));
    position_ = static_cast<int64_t>(label_.size());
    head_ = std::make_unique<SealReader>([this] { return read_head(); }, *key_,
                                         label_ + std::string(head_context), name_);
}

std::string_view BackupInput::read_file(size_t most)
{
    buffer_.resize(block);
    while (true) {
        const ssize_t count =
            pread(fd_, buffer_.data(), std::min(most, buffer_.size()), position_);
        if (count >= 0) {
            position_ += count;
            return std::string_view(buffer_).substr(0, static_cast<size_t>(count));
        }
        if (errno != EINTR) {
            throw_errno("cannot read '" + name_ + "'");
        }
    }
}

std::string_view BackupInput::read_head()
{
    const std::string_view data =
        read_file(static_cast<size_t>(std::min<uint64_t>(head_left_, block)));
    head_left_ -= data.size();
    return data;
}

std::string_view BackupInput::read()
{
    if (!key_) {
        return read_file(block);
    }
    if (!body_) {
        const std::string_view data = head_->read();
        if (!data.empty()) {
            return data;
        }
        body_ = std::make_unique<SealReader>([this] { return read_file(block); }, *key_,
                                             label_ + std::string(body_context), name_);
    }
    return body_->read();
}

std::optional<BackupLabel> read_label(int fd, const std::string &name)
{
    const std::string line = first_line(fd, name);
    if (line.empty()) {
        return std::nullopt;
    }
    const Json json = parse_label(line, name);
    return BackupLabel{json.get("id").as_string(), json.get("base").as_string(),
                       json.get("created_at").as_integer()};
}

std::optional<std::string> read_first_line(const std::optional<std::string> &path)
{
    if (!path) {
        return std::nullopt;
    }
    constexpr size_t largest = 65536;
    const std::string text = read_file(*path, largest);
    std::string line = text.substr(0, text.find('\n'));
    if (line.empty()) {
        throw Error(ExitStatus::BadData,
                    "'" + *path + "': expected a first line that is not empty");
    }
    return line;
}

} // namespace ap
