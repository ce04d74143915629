//! The attribute `async_trait`, which leaves the implementation of a handler as it is.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, ItemImpl};

/// The item, with an error if the attribute is used for anything else than a handler.
pub(crate) fn check(args: TokenStream, item: TokenStream) -> TokenStream {
    let problem = if args.is_empty() {
        let Ok(parsed) = syn::parse2::<ItemImpl>(item.clone()) else {
            // Not an impl, or one that does not parse yet, of which the compiler says more.
            let is_impl = item.clone().into_iter().any(|tree| tree.to_string() == "impl");
            return if is_impl { item } else { with(&item, &Error::new(Span::call_site(), OTHER)) };
        };
        let of = parsed.trait_.as_ref().and_then(|(path, _)| path.segments.last());
        match of {
            Some(last) if last.ident == "JobHandler" || last.ident == "Middleware" => return item,
            Some(last) => Error::new_spanned(last, OTHER),
            None => Error::new_spanned(&parsed.self_ty, OTHER),
        }
    } else {
        Error::new_spanned(args, "`async_trait` of FastJob takes no arguments")
    };
    with(&item, &problem)
}

const OTHER: &str = "`async_trait` of FastJob is for `impl JobHandler` only, which does not need it; \
                     for other traits, use the crate `async-trait`";

fn with(item: &TokenStream, err: &Error) -> TokenStream {
    let err = err.to_compile_error();
    quote! { #item #err }
}
