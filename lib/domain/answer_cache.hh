#pragma once

#include "base/http_field.hh"
#include "domain/call_record.hh"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ap {

/// What an answer is found by: the SHA-256 in hexadecimal of who may share it (`scope`: a
/// run, or nothing), method, target less its key, the fields that an answer can depend on
/// (Accept..., Content-Type, Content-Encoding, and the providers' own: anthropic-...,
/// openai-..., x-goog-..., less keys), and the body.
std::string answer_key(std::string_view scope, std::string_view method,
                       std::string_view target, std::span<const HttpField> fields,
                       std::string_view body);

/// Answers kept in a directory, a file each, the oldest of which make room for new ones.
/// For one process and one thread at a time.
class AnswerCache
{
public:
    /// The directory is made with the first answer that is kept.
    explicit AnswerCache(std::string directory);

    /// The answer kept under `key`, without the request; nothing if there is none, or if
    /// its file was changed so that it is none any more.
    std::optional<CallRecord> find(const std::string &key);

    /// Keeps an answer, unless there is one, so that all files together have at most
    /// `most` bytes; one of more than an eighth of that is not kept. Throws SystemError.
    void keep(const std::string &key, const CallRecord &answer, int64_t most);

    /// Bytes of all files.
    int64_t size();

private:
    std::string path_of(const std::string &key) const;
    void look();
    void forget(const std::string &key);

    std::string directory_;
    bool looked_ = false;                            ///< what follows is known
    std::unordered_map<std::string, int64_t> sizes_; ///< by key
    std::deque<std::string> ages_;                   ///< keys, the oldest first
    int64_t size_ = 0;
};

} // namespace ap
