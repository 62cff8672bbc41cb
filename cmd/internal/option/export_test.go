package option

// Meant lets tests of the whole table see what is proposed.
var Meant = meant
