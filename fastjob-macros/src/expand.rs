//! Generates the code of `#[job]` beside the item: its declaration, and for a struct the
//! implementation of `Declared`.
//!
//! The item itself is not changed. The generated code defines no names, so nothing can clash, and
//! all its paths begin with `fastjob_executor::registry::__private`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Generics, LitStr, Result, ext::IdentExt};

use crate::{
    args::Args,
    item::{Call, Item, Shape, span_of},
};

/// The whole expansion. After an error it is the item and the errors.
pub(crate) fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    match declare(args, item.clone()) {
        Ok(declared) => quote! { #item #declared },
        Err(err) => {
            let errors = err.into_compile_error();
            quote! { #item #errors }
        }
    }
}

fn declare(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let (args, item) = match (syn::parse2::<Args>(args), syn::parse2::<Item>(item)) {
        (Ok(args), Ok(item)) => (args, item),
        (Err(mut err), Err(other)) => {
            err.combine(other);
            return Err(err);
        }
        (Err(err), Ok(_)) | (Ok(_), Err(err)) => return Err(err),
    };
    let Item { ident, cfgs, .. } = &item;
    let private = private(Span::call_site());
    Ok(match &item.shape {
        Shape::Struct { stateful, generics } => {
            let declared = declared(&args, &item, *stateful, generics);
            let submit = generics.params.is_empty().then(|| {
                quote! {
                    #(#cfgs)*
                    #private::inventory::submit! {
                        <#ident as #private::Declared>::DECLARATION
                    }
                }
            });
            quote! { #(#cfgs)* #declared #submit }
        }
        Shape::Fn(call) => {
            let run = run(&args.name, ident, call);
            let make = quote!(::core::option::Option::Some(|| #private::from_fn(#run)));
            let declaration = declaration(&args, &item, &make);
            quote! { #(#cfgs)* #private::inventory::submit! { #declaration } }
        }
    })
}

/// The path to everything that the expansion uses, with the span `at`.
fn private(at: Span) -> TokenStream {
    quote_spanned!(at=> ::fastjob_executor::registry::__private)
}

/// The constant that describes a handler, except for its state.
fn declaration(args: &Args, item: &Item, make: &TokenStream) -> TokenStream {
    let (private, name, setters) = (private(Span::call_site()), &args.name, args.setters());
    let description = args.value("description").cloned().or_else(|| {
        item.description.as_ref().map(|text| {
            let text = LitStr::new(text, item.ident.span());
            quote!(#text)
        })
    });
    let describe = description.as_ref().map(|text| quote!(.description(#text)));
    let description = description.unwrap_or_else(|| quote!(""));
    let service = match args.value("service") {
        Some(service) => quote!(::core::option::Option::Some(#service)),
        None => quote!(::core::option::Option::None),
    };
    let path = item.ident.unraw().to_string();
    quote! {
        #private::Declaration {
            name: #name,
            description: #description,
            service: #service,
            draft: || #private::Draft::new(#name) #describe #setters.done(),
            make: #make,
            path: ::core::concat!(::core::module_path!(), "::", #path),
            place: ::core::panic::Location::caller(),
        }
    }
}

/// `impl Declared`. This is where the compiler reports a struct that does not implement
/// `JobHandler`. A generic struct is checked where a value of it is registered, because it may
/// implement the trait only for some parameters.
fn declared(args: &Args, item: &Item, stateful: bool, generics: &Generics) -> TokenStream {
    let ident = &item.ident;
    let at = span_of(None, ident);
    let (here, there) = (private(Span::call_site()), private(at));
    let make = match (generics.params.is_empty(), stateful) {
        (true, false) => quote_spanned! {at=>
            ::core::option::Option::Some(|| ::std::sync::Arc::new(#ident {}))
        },
        (true, true) => quote_spanned!(at=> #there::stateful::<#ident>()),
        (false, _) => quote!(::core::option::Option::None),
    };
    let declaration = declaration(args, item, &make);
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #here::Declared for #ident #arguments #conditions {
            const DECLARATION: #here::Declaration = #declaration;
        }
    }
}

/// A closure from the context to the boxed future of one attempt.
///
/// Each call has the span of the user's type that it concerns, so that compiler errors point there.
fn run(name: &LitStr, ident: &Ident, call: &Call) -> TokenStream {
    let at_name = span_of(None, ident);
    let at_output = span_of(call.output.as_ref(), ident);
    let context = call.context.as_ref().map(|ty| {
        let at = span_of(Some(ty), ident);
        quote_spanned!(at=> __ctx,)
    });
    let param = call.param.as_ref().map(|ty| {
        let at = span_of(Some(ty), ident);
        let private = private(at);
        quote_spanned!(at=> #private::param(__ctx, #name)?)
    });
    let mut callee = ident.clone();
    callee.set_span(ident.span().located_at(at_output));
    let call_it = quote_spanned!(at_output=> #callee(#context #param).await);
    let private = private(at_output);
    let body = match call.output {
        None => quote_spanned! {at_output=>
            #call_it;
            #private::nothing()
        },
        Some(_) => quote_spanned! {at_output=>
            use #private::kind::*;
            let __value = #private::returned(#call_it)?;
            (&__value).__fastjob_kind().output(__value)
        },
    };
    quote_spanned!(at_name=> |__ctx| ::std::boxed::Box::pin(async move { #body }))
}
