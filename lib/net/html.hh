#pragma once

#include "domain/access.hh"
#include "net/http_request.hh"

#include <initializer_list>
#include <string>
#include <string_view>

namespace ap {

/// `text` for the content of an element or a quoted attribute.
std::string html_escape(std::string_view text);

/// A whole page around `main`, which is the content of the <main> element. `events` is
/// the address of the stream that tells when the page has changed; empty: it does not.
struct PageParts
{
    std::string_view title;
    std::string main;
    std::string_view events{};
};
HttpReply page(const HttpRequest &request, const PageParts &parts, int status = 200);

/// A page that says what went wrong.
HttpReply error_page(const HttpRequest &request, int status, std::string_view detail);

/// A form that is one button, and asks before it does `action`. Nothing if the principal
/// may not do what takes `scope`.
struct ButtonForm
{
    std::string action;
    std::string_view label;
    std::string question;
    AccessScope scope = AccessScope::Operate;
    bool is_dangerous = false;
};
std::string button_form(const HttpRequest &request, const ButtonForm &form);

/// A part of a page, under a heading of its own; both are HTML.
std::string section(std::string_view id, std::string_view heading, std::string content);

/// The beginning of a table, up to its rows, and its end. `label` tells what it is of.
std::string table_open(std::string_view label,
                       std::initializer_list<std::string_view> headings);
inline constexpr std::string_view table_close = "</tbody></table></div>\n";

/// A status as a coloured word.
std::string status_badge(std::string_view status);

/// An instant as a <time> element; "–" for none.
std::string time_element(const std::optional<UnixMs> &at);

} // namespace ap
