#include "check.hh"
#include "net/api.hh"
#include "net/assets.hh"
#include "net/dashboard.hh"
#include "net/router.hh"

#include <set>

using namespace ap;

namespace {

std::string lower(std::string_view text)
{
    std::string small(text);
    for (char &letter : small) {
        letter = static_cast<char>(letter | 0x20);
    }
    return small;
}

// "get /api/runs read" for each operation.
std::set<std::string> operations_served()
{
    std::set<std::string> operations;
    for (const ApiRoute &route : api_routes()) {
        operations.insert(
            lower(route.method) + " " + std::string(route.pattern) + " " +
            std::string(route.scope ? access_scope_name(*route.scope) : "anybody"));
    }
    return operations;
}

std::set<std::string> operations_documented()
{
    std::set<std::string> operations;
    const Json paths =
        Json::parse(find_asset("openapi.json")->text, "openapi.json").get("paths");
    for (const std::string &path : paths.keys()) {
        for (const std::string &method : paths.get(path).keys()) {
            const Json operation = paths.get(path).get(method);
            operations.insert(method + " " + path + " " +
                              operation.get_string("x-scope").value_or("anybody"));
        }
    }
    return operations;
}

void the_document_has_each_route_with_its_scope_and_no_other()
{
    const auto served = operations_served();
    const auto documented = operations_documented();
    for (const std::string &operation : served) {
        if (!documented.contains(operation)) {
            check::fail_at(__FILE__, __LINE__, "not documented: " + operation);
        }
    }
    for (const std::string &operation : documented) {
        if (!served.contains(operation)) {
            check::fail_at(__FILE__, __LINE__, "not served: " + operation);
        }
    }
    CHECK(served.size() > 30);
}

void what_changes_something_takes_more_than_reading()
{
    for (const auto routes : {api_routes(), dashboard_routes()}) {
        for (const ApiRoute &route : routes) {
            const bool is_session =
                route.pattern == "/login" || route.pattern == "/logout";
            CHECK(route.method == "GET" || is_session ||
                  (route.scope && *route.scope >= AccessScope::Operate));
        }
    }
}

void a_route_is_found_with_its_parameters()
{
    const RouteMatch match =
        find_route(api_routes(), "HEAD", {"api", "runs", "night", "phases", "a.b"});
    CHECK(match.route != nullptr);
    CHECK_EQUAL(match.parameters.find("run")->second, "night");
    CHECK_EQUAL(match.parameters.find("phase")->second, "a.b");
}

void the_wrong_method_is_told_from_the_wrong_path()
{
    const RouteMatch wrong = find_route(api_routes(), "PATCH", {"api", "runs"});
    CHECK(wrong.route == nullptr);
    CHECK_EQUAL(wrong.allowed, "GET, POST");
    CHECK_EQUAL(find_route(api_routes(), "GET", {"api", "nope"}).allowed, "");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_document_has_each_route_with_its_scope_and_no_other),
        TEST(what_changes_something_takes_more_than_reading),
        TEST(a_route_is_found_with_its_parameters),
        TEST(the_wrong_method_is_told_from_the_wrong_path),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
