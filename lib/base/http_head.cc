#include "base/http_head.hh"

#include "base/text.hh"

#include <algorithm>

namespace ap {

void HttpHead::clear()
{
    status_ = 0;
    complete_ = false;
    text_.clear();
    fields_.clear();
}

bool HttpHead::take_line(std::string_view line)
{
    if (complete_) {
        return false;
    }
    if (line.starts_with("HTTP/")) {
        clear();
        const size_t blank = std::min(line.find(' '), line.size() - 1);
        status_ = static_cast<int>(
            parse_integer(line.substr(blank + 1, 3), 100, 999).value_or(0));
    } else if (!trim(line).empty()) {
        text_ += line;
    } else if (status_ >= 200) {
        complete_ = true;
        split_fields();
    }
    return complete_;
}

void HttpHead::split_fields()
{
    std::string_view rest = text_;
    while (!rest.empty()) {
        const size_t end = std::min(rest.find('\n'), rest.size() - 1);
        const std::string_view line = rest.substr(0, end);
        const size_t colon = line.find(':');
        if (colon != std::string_view::npos) {
            fields_.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
        }
        rest.remove_prefix(end + 1);
    }
}

} // namespace ap
