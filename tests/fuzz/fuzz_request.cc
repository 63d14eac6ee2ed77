// What ap-serve's own handlers read of a request before they know who asks: path, query,
// form, cookies, range, encodings and host. Nothing crashes, and what comes out is safe
// and written the same is read the same.

#include "fuzz.hh"

#include "net/bind_safety.hh"
#include "net/request_target.hh"
#include "net/router.hh"

#include <algorithm>

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "/api/runs/r%20x/phases/p/attempts/1/logs/stdout"sv,
    "/api/backups/..%2f..%2fetc%2fpasswd"sv,
    "/dashboard/runs/%e2%82%ac/abort"sv,
    "csrf=0a%2b&confirmed=1&comment=a+b%0a"sv,
    "limit=10&cursor=1700000000000.run-1&status=EXECUTING"sv,
    "ap_session=abc; other=\"x\"; __Host-ap_session=def"sv,
    "bytes=0-499, bytes=-18446744073709551615"sv,
    "br;q=1.0, gzip;q=0.8, *;q=0.1"sv,
    "[::1]:8000"sv,
    "localhost.evil.example:80"sv,
};

constexpr ApiRoute routes[] = {
    {"GET", "/"},
    {"GET", "/api/runs/{run}"},
    {"POST", "/api/runs/{run}/{verb}"},
    {"GET", "/api/runs/{run}/phases/{phase}/attempts/{number}/logs/{log}"},
};

bool is_piece(const std::string &piece)
{
    return !piece.empty() && piece != "." && piece != ".." &&
           piece.find('/') == std::string::npos && piece.find('\0') == std::string::npos;
}

void check_path(std::string_view text)
{
    const auto pieces = split_path(text);
    if (!pieces) {
        return;
    }
    fuzz::require(std::all_of(pieces->begin(), pieces->end(), is_piece),
                  "a piece of a path is one name");
    std::string again;
    for (const std::string &piece : *pieces) {
        again += "/" + encode_percent(piece);
    }
    fuzz::require(split_path(again.empty() ? "/" : again) == pieces,
                  "a path written again is the same");
    for (const std::string_view method : {"GET"sv, "HEAD"sv, "POST"sv}) {
        const RouteMatch match = find_route(routes, method, *pieces);
        for (const auto &[name, value] : match.parameters) {
            fuzz::require(is_piece(value), "a parameter is a piece of the path");
        }
    }
}

void check_form(std::string_view text)
{
    const auto form = parse_form(text);
    if (!form) {
        return;
    }
    fuzz::require(form->size() <= 64, "a form has few fields");
    std::string again;
    for (const auto &[name, value] : *form) {
        again += (again.empty() ? "" : "&") + encode_percent(name) + "=" +
                 encode_percent(value);
    }
    fuzz::require(again.empty() || parse_form(again) == form,
                  "a form written again is the same");
}

void check_range(std::string_view text, uint64_t size)
{
    const RangeRequest range = read_range(text, size);
    fuzz::require(range.kind != RangeRequest::Kind::Part ||
                      (range.range.first <= range.range.last && range.range.last < size),
                  "a range lies within the body");
}

void check_encodings(std::string_view text)
{
    if (!accepts_gzip(text)) {
        return;
    }
    fuzz::require(text.find_first_of("*zZ") != text.npos, "gzip is named, or anything");
    fuzz::require(!accepts_gzip("gzip;q=0," + std::string(text)),
                  "what is refused first stays so");
}

} // namespace

std::span<const std::string_view> fuzz::seeds()
{
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const std::string_view text = fuzz::text_of(data, size);
    check_path(text);
    check_form(text);
    check_range(text, 0);
    check_range(text, 1000);
    check_range(text, UINT64_MAX);
    check_encodings(text);
    const auto cookie = find_cookie(text, "ap_session");
    fuzz::require(!cookie || (cookie->data() >= text.data() &&
                              cookie->data() + cookie->size() <= text.data() + size),
                  "a cookie is a part of its field");
    static_cast<void>(is_own_host(text, {"own.example"}));
    return 0;
}
