# R's answers; needs the package jsonlite.
library(jsonlite)
cases <- fromJSON(file("stdin"), simplifyVector = TRUE, simplifyDataFrame = FALSE, simplifyMatrix = TRUE)

moments <- function(s) list(n = s$n, m = s$sum / s$n, v = (s$sumsq - s$sum^2 / s$n) / (s$n - 1))
welch <- function(g) {
  a <- moments(g$control); b <- moments(g$treatment)
  u <- a$v / a$n; w <- b$v / b$n
  df <- (u + w)^2 / (u^2 / (a$n - 1) + w^2 / (b$n - 1))
  t <- (b$m - a$m) / sqrt(u + w)
  list(t = t, df = df, p = 2 * pt(-abs(t), df), ci = (b$m - a$m) + c(-1, 1) * qt(.975, df) * sqrt(u + w))
}
multiplicity <- function(g) list(holm = p.adjust(g$p, "holm"), bh = p.adjust(g$p, "BH"), by = p.adjust(g$p, "BY"),
                                 hommel = p.adjust(g$p, "hommel"))
power <- function(g) list(n_t = power.t.test(delta = g$effect_size, power = g$power, sig.level = g$alpha, tol = 1e-10)$n)
rank <- function(g) { w <- wilcox.test(g$group1, g$group2, exact = FALSE); list(W = w$statistic[[1]], p = w$p.value) }
exact <- function(g) list(p = fisher.test(matrix(unlist(g$table), 2, byrow = is.list(g$table)))$p.value)

cat(toJSON(lapply(cases, function(case) get(case$family)(case$input)), auto_unbox = TRUE, digits = NA))
