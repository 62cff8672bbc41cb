// Package cache is a handler that keeps answers of the next handler in memory and gives them to
// later clients: a shared cache (RFC 9111).
//
// An answer is stored when it says how long it is fresh (Cache-Control: max-age or s-maxage,
// Expires), or when [Options].Valid says so for its status. Answers that belong to one client
// are not stored: those with "private" or "no-store", those with Set-Cookie, and those to
// requests with credentials unless the answer says that it is shared (RFC 9111 3.5). An answer
// that says nothing itself is not stored when the request has cookies either.
//
// The key of an answer is scheme, host, target, and each field that front servers and frameworks
// take for one of these, such as X-Forwarded-Host. So a client cannot have an answer stored
// that another client gets for another request. Vary is obeyed.
//
// Clients that ask for one resource at the same time wait for one fetch. An answer that is no
// longer fresh is validated with its ETag or Last-Modified. With stale-while-revalidate the old
// answer goes out at once and the fetch goes on behind it. With stale-if-error it goes out when
// the fetch fails (RFC 5861).
//
// Each answer says what the cache did, by Cache-Status (RFC 9211) and X-Cache.
package cache
