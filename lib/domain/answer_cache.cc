#include "domain/answer_cache.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/directory.hh"
#include "sys/path.hh"
#include "wrap/sha256.hh"

#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace ap {

namespace {

constexpr int64_t share_of_one = 8; // an answer has at most one part of so many
constexpr size_t largest_file = size_t{1} << 30;

bool matters(std::string_view name)
{
    static constexpr std::array<std::string_view, 6> beginnings = {
        "accept", "content-type", "content-encoding", "anthropic-", "openai-", "x-goog-"};
    return !is_secret_field(name) &&
           std::any_of(beginnings.begin(), beginnings.end(), [&](auto beginning) {
               return same_field_name(name.substr(0, beginning.size()), beginning);
           });
}

// So that no two lists of parts are the same bytes.
void add(Sha256Stream &hash, std::string_view part)
{
    hash.add(std::to_string(part.size()) + ":");
    hash.add(part);
}

} // namespace

std::string answer_key(std::string_view scope, std::string_view method,
                       std::string_view target, std::span<const HttpField> fields,
                       std::string_view body)
{
    Sha256Stream hash;
    for (const std::string_view part : {scope, method}) {
        add(hash, part);
    }
    add(hash, target_without_key(target));
    for (const HttpField &field : fields) {
        if (matters(field.name)) {
            std::string name(field.name);
            std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
                return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32)
                                                      : letter;
            });
            add(hash, name);
            add(hash, field.value);
        }
    }
    add(hash, body);
    return to_hex(hash.finish());
}

AnswerCache::AnswerCache(std::string directory)
    : directory_(std::move(directory))
{
}

std::string AnswerCache::path_of(const std::string &key) const
{
    return join_path(directory_, key);
}

// What is there from before.
void AnswerCache::look()
{
    if (std::exchange(looked_, true)) {
        return;
    }
    std::vector<std::pair<int64_t, std::string>> found;
    for (const std::string &name : names_in(directory_)) {
        struct stat status = {};
        if (!sha256_from_hex(name)) {
            remove_file(path_of(name)); // left over from a write that was cut off
        } else if (stat(path_of(name).c_str(), &status) == 0) {
            found.emplace_back(status.st_mtime, name);
            sizes_[name] = status.st_size;
            size_ += status.st_size;
        }
    }
    std::sort(found.begin(), found.end());
    for (auto &[at, name] : found) {
        ages_.push_back(std::move(name));
    }
}

std::optional<CallRecord> AnswerCache::find(const std::string &key)
{
    look();
    if (!sizes_.contains(key)) {
        return std::nullopt;
    }
    try {
        return call_record_from_line(read_file(path_of(key), largest_file), path_of(key));
    } catch (const Error &error) {
        if (error.status() != ExitStatus::BadData &&
            error.status() != ExitStatus::NoInput) {
            throw;
        }
        std::erase(ages_, key);
        forget(key);
        return std::nullopt;
    }
}

void AnswerCache::forget(const std::string &key)
{
    size_ -= sizes_.at(key);
    sizes_.erase(key);
    remove_file(path_of(key));
}

void AnswerCache::keep(const std::string &key, const CallRecord &answer, int64_t most)
{
    look();
    const std::string line = call_record_line(answer);
    const auto length = static_cast<int64_t>(line.size());
    if (length > most / share_of_one || sizes_.contains(key)) {
        return;
    }
    while (!ages_.empty() && size_ + length > most) {
        forget(ages_.front());
        ages_.pop_front();
    }
    make_directories(directory_, 0700);
    write_file_atomically(path_of(key), line, 0600);
    sizes_[key] = length;
    ages_.push_back(key);
    size_ += length;
}

int64_t AnswerCache::size()
{
    look();
    return size_;
}

} // namespace ap
