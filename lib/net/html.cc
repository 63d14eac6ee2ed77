#include "net/html.hh"

#include <algorithm>
#include <cctype>

namespace ap {

std::string html_escape(std::string_view text)
{
    std::string escaped;
    escaped.reserve(text.size());
    for (const char character : text) {
        switch (character) {
        case '&':
            escaped += "&amp;";
            break;
        case '<':
            escaped += "&lt;";
            break;
        case '>':
            escaped += "&gt;";
            break;
        case '"':
            escaped += "&quot;";
            break;
        case '\'':
            escaped += "&#39;";
            break;
        default:
            escaped += character;
        }
    }
    return escaped;
}

namespace {

std::string header_of(const HttpRequest &request)
{
    const Principal &principal = request.principal;
    std::string html = "<header><a class=\"brand\" href=\"/dashboard\">Autopack</a>";
    if (principal.kind == Principal::Kind::Session) {
        html += "<form method=\"post\" action=\"/logout\"><input type=\"hidden\" "
                "name=\"csrf\" value=\"" +
                html_escape(principal.csrf) + "\"><span class=\"who\">" +
                html_escape(principal.name) + " (" +
                std::string(access_scope_name(*principal.scope)) +
                ")</span> <button>Log out</button></form>";
    }
    return html + "</header>\n";
}

} // namespace

HttpReply page(const HttpRequest &request, const PageParts &parts, int status)
{
    std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n"
                       "<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, "
                       "initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
                       html_escape(parts.title) +
                       " – Autopack</title>\n"
                       "<link rel=\"icon\" href=\"/assets/icon.svg\">\n"
                       "<link rel=\"stylesheet\" href=\"/assets/dashboard.css\">\n"
                       "<script src=\"/assets/dashboard.js\" defer></script>\n"
                       "</head>\n<body>\n"
                       "<a class=\"skip\" href=\"#main\">Skip to content</a>\n" +
                       header_of(request) + "<main id=\"main\"";
    if (!parts.events.empty()) {
        html += " data-events=\"" + html_escape(parts.events) + "\"";
    }
    html += ">\n<h1>" + html_escape(parts.title) + "</h1>\n" + parts.main +
            "</main>\n<footer>Autopack " AP_VERSION
            " <span id=\"connection\" role=\"status\"></span></footer>\n"
            "</body>\n</html>\n";
    return html_reply(std::move(html), status);
}

HttpReply error_page(const HttpRequest &request, int status, std::string_view detail)
{
    const std::string title(status_title(status));
    return page(request,
                {title, "<p>" + html_escape(detail) +
                            "</p>\n<p><a href=\"/dashboard\">To the dashboard</a></p>\n"},
                status);
}

std::string button_form(const HttpRequest &request, const ButtonForm &form)
{
    if (!request.principal.may(form.scope)) {
        return {};
    }
    return "<form class=\"action\" method=\"post\" action=\"" + html_escape(form.action) +
           "\" data-confirm=\"" + html_escape(form.question) +
           "\"><input type=\"hidden\" name=\"csrf\" value=\"" +
           html_escape(request.principal.csrf) + "\"><button" +
           (form.is_dangerous ? " class=\"danger\"" : "") + ">" +
           html_escape(form.label) + "</button></form>";
}

std::string section(std::string_view id, std::string_view heading, std::string content)
{
    return "<section id=\"" + std::string(id) + "\" aria-labelledby=\"h-" +
           std::string(id) + "\">\n<h2 id=\"h-" + std::string(id) + "\">" +
           std::string(heading) + "</h2>\n" + std::move(content) + "</section>\n";
}

std::string table_open(std::string_view label,
                       std::initializer_list<std::string_view> headings)
{
    std::string html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                       "aria-label=\"Table of " +
                       std::string(label) + "\"><table><thead><tr>";
    for (const std::string_view heading : headings) {
        html += "<th scope=\"col\">" + std::string(heading) + "</th>";
    }
    return html + "</tr></thead><tbody>\n";
}

std::string status_badge(std::string_view status)
{
    std::string name(status);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) {
        return letter == '_' ? '-' : static_cast<char>(std::tolower(letter));
    });
    return "<span class=\"status s-" + html_escape(name) + "\">" + html_escape(status) +
           "</span>";
}

std::string time_element(const std::optional<UnixMs> &at)
{
    return at ? "<time datetime=\"" + format_rfc3339(*at) + "\">" + format_local(*at) +
                    "</time>"
              : "–";
}

} // namespace ap
