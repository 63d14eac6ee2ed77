#include "net/http_reply.hh"

#include "wrap/sqlite.hh"

namespace ap {

namespace {

struct StatusTitle
{
    int status;
    std::string_view title;
};

constexpr StatusTitle titles[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

// Inline script and style are not allowed anywhere, so what slips through the escaping
// of HTML does nothing.
constexpr HttpField security_fields[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

int status_of(const Error &error)
{
    switch (error.status()) {
    case ExitStatus::NoInput:
        return 404;
    case ExitStatus::BadData:
        return 422;
    case ExitStatus::Usage:
        return 400;
    case ExitStatus::TryAgain:
    case ExitStatus::Unavailable:
    case ExitStatus::BudgetExhausted:
    case ExitStatus::BreakerOpen:
        return 409;
    case ExitStatus::Done:
    case ExitStatus::Failed:
    case ExitStatus::Bug:
    case ExitStatus::CannotCreate:
    case ExitStatus::InputOutput:
    case ExitStatus::NoPermission:
    case ExitStatus::Config:
    case ExitStatus::Stopped:
    case ExitStatus::Aborted:
    case ExitStatus::TimedOut:
    case ExitStatus::ApprovalNeeded:
        break;
    }
    return 500;
}

} // namespace

HttpReply &HttpReply::add(std::string_view name, std::string_view value)
{
    fields.emplace_back(name, value);
    return *this;
}

HttpReply json_reply(const Json &value, int status)
{
    return {status, "application/json", value.dump() + "\n"};
}

HttpReply html_reply(std::string html, int status)
{
    return {status, "text/html; charset=utf-8", std::move(html)};
}

HttpReply redirect_reply(std::string_view location)
{
    HttpReply reply{303, "text/plain; charset=utf-8",
                    "see " + std::string(location) + "\n"};
    reply.add("Location", location);
    return reply;
}

std::string_view status_title(int status)
{
    for (const StatusTitle &entry : titles) {
        if (entry.status == status) {
            return entry.title;
        }
    }
    return "Error";
}

HttpReply problem_reply(int status, std::string_view detail)
{
    const Json problem = Json::object()
                             .set("type", "about:blank")
                             .set("title", status_title(status))
                             .set("status", status)
                             .set("detail", detail);
    return {status, "application/problem+json", problem.dump() + "\n"};
}

HttpReply problem_of(const std::exception &error)
{
    if (const auto *failure = dynamic_cast<const SqliteError *>(&error)) {
        if (failure->status() == ExitStatus::TryAgain) {
            return problem_reply(503, "the database is busy").add("Retry-After", "1");
        }
        return problem_reply(500, "the database cannot be used; see the server's log");
    }
    const auto *known = dynamic_cast<const Error *>(&error);
    const int status = known == nullptr ? 500 : status_of(*known);
    return problem_reply(status, status == 500 ? "it is the server's fault; see its log"
                                               : std::string_view(error.what()));
}

std::vector<HttpField> common_fields(bool over_tls)
{
    std::vector<HttpField> fields(std::begin(security_fields), std::end(security_fields));
    if (over_tls) {
        fields.push_back({"Strict-Transport-Security", "max-age=31536000"});
    }
    return fields;
}

void send_reply(HttpExchange &exchange, HttpReply reply, bool over_tls)
{
    std::vector<HttpField> fields = common_fields(over_tls);
    fields.push_back({"Content-Type", reply.type});
    for (const auto &[name, value] : reply.fields) {
        if (same_field_name(name, "Cache-Control")) {
            std::erase_if(fields, [](const HttpField &field) {
                return same_field_name(field.name, "Cache-Control");
            });
        }
        fields.push_back({name, value});
    }
    exchange.respond(reply.status, fields, std::move(reply.body));
}

} // namespace ap
