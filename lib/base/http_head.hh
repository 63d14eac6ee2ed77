#pragma once

#include "base/http_field.hh"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Collects the header of an HTTP answer line by line. Interim answers (1xx) before it
/// are passed over, and so are trailers after it.
class HttpHead
{
public:
    void clear();

    /// Takes the next line with its end. True for the empty line that ends the header of
    /// the final answer, once.
    bool take_line(std::string_view line);

    bool complete() const noexcept { return complete_; }

    /// The status; 0 if the first line is none of HTTP.
    int status() const noexcept { return status_; }

    /// The fields in order, valid until the next clear(). Empty before it is complete.
    std::span<const HttpField> fields() const noexcept { return fields_; }

private:
    void split_fields();

    int status_ = 0;
    bool complete_ = false;
    std::string text_;
    std::vector<HttpField> fields_;
};

} // namespace ap
